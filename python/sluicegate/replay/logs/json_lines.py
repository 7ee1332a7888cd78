"""Logs of a JSON object a line, as nginx, Caddy and Traefik write them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sluicegate.replay.logs.keys import client_key

__all__ = ["FIELDS", "JsonLines", "advice_of", "json_object"]

#: What a line is asked for.
FIELDS: Final = ("client", "time", "request", "method", "path", "host", "status")

Path = tuple[str, ...]
#: What each is called by servers, the most telling first. Headers that a client may write are no clients.
_KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "client": (
        *("request.client_ip", "request.remote_ip", "request.remote_addr"),  # Caddy
        *("ClientHost", "ClientAddr"),  # Traefik
        *("remote_addr", "client_ip", "clientip", "remote_ip", "client", "ip"),
    ),
    "time": (
        *("ts", "StartUTC", "StartLocal"),
        *("msec", "time_iso8601", "time_local", "@timestamp", "timestamp", "time"),
    ),
    "request": ("request", "RequestLine", "request_line"),
    "method": ("request.method", "RequestMethod", "request_method", "method", "verb"),
    "path": ("request.uri", "RequestPath", "request_uri", "uri", "path", "url"),
    "status": ("status", "DownstreamStatus", "status_code", "response.status"),
    "host": ("request.host", "RequestHost", "host", "http_host", "server_name"),
}


def json_object(line: bytes) -> dict[str, Any] | None:
    """The object that a line is."""
    if line[:1] != b"{" and line.lstrip()[:1] != b"{":
        return None
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


class JsonLines:
    """Where an object names its client, time and request.

    Args:
        first: an object of the log, in which the fields are looked for by the names that servers use.
        fields: field → where it is, a name or several with dots between them, of those that are named.

    Raises:
        ValueError: there is no field of that name, or none for the client or the time.
    """

    def __init__(self, first: Mapping[str, Any], fields: Mapping[str, str] = {}) -> None:
        self.paths: dict[str, Path] = {}
        for field in FIELDS:
            names = (fields[field],) if field in fields else _KNOWN[field]
            path = next((path for path in map(_path, names) if _is_text(_at(first, path))), None)
            if path is not None:
                self.paths[field] = path
            elif field in fields:
                raise ValueError(
                    f"--fields: {field} must be a field of the log's objects, got {fields[field]!r}: they "
                    f"have {', '.join(_names(first)) or 'none'}"
                )

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Those of the fields that the objects do not have. A request may be a method and a path."""
        has = set(self.paths)
        if {"method", "path"} <= has:
            has.add("request")
        return [field for field in wanted if field not in has]

    def reader(self, wanted: Iterable[str]) -> Callable[[bytes], tuple[bytes, ...] | None]:
        """Gives the ``wanted`` fields of a line, or ``None`` for one that lacks some."""
        gets = [self._get(field) for field in wanted]

        def read(line: bytes) -> tuple[bytes, ...] | None:
            found = json_object(line)
            if found is None:
                return None
            try:
                return tuple([_bytes(get(found)) for get in gets])
            except (KeyError, TypeError, IndexError):
                return None

        return read

    def _get(self, field: str) -> Callable[[Mapping[str, Any]], Any]:
        if field == "request" and "request" not in self.paths:
            method, target = self._get("method"), self._get("path")
            return lambda line: f"{_text(method(line))} {_text(target(line))}"
        if field not in self.paths:
            return lambda _: ""  # hosts and statuses are not needed
        first, *rest = self.paths[field]
        if not rest:
            return lambda line: line[first]
        return lambda line: _walk(line[first], rest)


def _path(name: str) -> Path:
    return tuple(name.split("."))


def _walk(found: Any, path: Iterable[str]) -> Any:
    for name in path:
        found = found[name]
    return found


def _at(found: Mapping[str, Any], path: Path) -> Any:
    try:
        return _walk(found, path)
    except (KeyError, TypeError):
        return None


def _is_text(found: Any) -> bool:
    """Whether it is a value, or a list of one, as headers are."""
    if isinstance(found, list):
        return bool(found) and isinstance(found[-1], str)
    return isinstance(found, (str, int, float)) and not isinstance(found, bool)


def _text(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, list):  # of a header's lines the last
        return _text(found[-1])
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise TypeError
    return str(found) if isinstance(found, int) else f"{found:.6f}"


def _bytes(found: Any) -> bytes:
    return _text(found).encode("utf-8", "backslashreplace")


def _names(found: Mapping[str, Any], before: str = "") -> list[str]:
    names: list[str] = []
    for name, value in found.items():
        if isinstance(value, dict):
            names += _names(value, f"{before}{name}.")
        elif _is_text(value):
            names.append(before + name)
    return names[:40]


def advice_of(line: bytes, besides: str | None = None) -> str | None:
    """Which option would find a client in a line that is an object, other than ``besides``."""
    found = json_object(line)
    if found is None:
        return None
    options: list[str] = []
    for name in _names(found):
        client = client_key(_text(_at(found, _path(name))))
        if client not in (None, besides):
            options.append(f"--client-field {name} if the client is {client}")
    if options:
        return "pass " + ", or ".join(options)
    return "let the server log the client's address, and name its field by --client-field"
