"""A line's format as it is given: nginx's ``log_format`` or Apache's ``LogFormat`` string."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

__all__ = ["GivenFormat"]

# nginx's variables, and Apache's directives by their letter.
_FIELDS: Final[dict[str, str]] = {
    "remote_addr": "client",
    "a": "client",
    "h": "client",
    "time_local": "time",
    "time_iso8601": "time",
    "msec": "time",
    "request": "request",
    "r": "request",
    "request_method": "method",
    "m": "method",
    "request_uri": "path",
    "uri": "path",
    "U": "path",
    "status": "status",
    "s": "status",
    "host": "host",
    "http_host": "host",
    "server_name": "host",
    "v": "host",
    "V": "host",
}
#: Apache's times in other units than it writes by itself.
_TIMES: Final = {"sec", "msec", "usec"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_DIRECTIVE = re.compile(r"%(?:%|[!\d,]*[<>]?(?:\{([^}]*)\})?([<>]?)(\^?[A-Za-z]{1,3}))")
_CLF_TIME = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:[.,]\d+)? [+-]\d{4}"
_QUOTED = r'[^"\\]*(?:\\.[^"\\]*)*'


class _Piece(NamedTuple):
    """Text that stands in each line, or a variable of that name."""

    text: str
    name: str = ""


class GivenFormat:
    """A line's pattern; its groups are some of ``client, time, request, method, path, host,
    status``.

    Args:
        text: ``'$remote_addr - $remote_user [$time_local] "$request" $status'``, or
            ``'%h %l %u %t "%r" %>s'``.
        client: the variable, or the header's name, in which the client stands, instead of the one of
            the peer.

    Raises:
        ValueError: no client, time or request is in it, or two variables stand together.
    """

    def __init__(self, text: str, client: str | None = None) -> None:
        self._client = client
        pieces = list(_nginx(text) if _VARIABLE.search(text) else _apache(text))
        named = [piece.name for piece in pieces if piece.name]
        if not named:
            raise ValueError(
                "--log-format must be nginx's log_format or Apache's LogFormat, such as "
                f"'$remote_addr [$time_local] \"$request\"' or '%h %t \"%r\"', got {text!r}"
            )
        #: Its variables, as --client-field names them.
        self.names = [name.removeprefix("%") for name in named]
        self._fields: list[str] = []
        self.pattern = re.compile("".join(self._parts(pieces)).encode(), re.DOTALL)
        if client is not None and "client" not in self._fields:
            raise ValueError(
                f"--client-field must be a variable of --log-format, {', '.join(named)}, got {client!r}"
            )

    @property
    def fields(self) -> frozenset[str]:
        """What a line tells. A request is told by a method and a path, too."""
        told = set(self._fields)
        return frozenset(told | {"request"} if {"method", "path"} <= told else told)

    def _parts(self, pieces: Sequence[_Piece]) -> Iterator[str]:
        for place, piece in enumerate(pieces):
            if not piece.name:
                yield re.escape(piece.text)
                continue
            after = pieces[place + 1] if place + 1 < len(pieces) else None
            if after is not None and after.name:
                raise ValueError(
                    f"--log-format must have something between {piece.name} and {after.name}, or nobody "
                    "can tell them apart"
                )
            before = pieces[place - 1].text if place else ""
            yield self._group(piece.name, before, "" if after is None else after.text)
        yield r"\s*\Z"

    def _group(self, name: str, before: str, after: str) -> str:
        pattern = _pattern(name, before, after)
        field = self._field(name)
        if field is None or field in self._fields:
            return f"(?:{pattern})"
        self._fields.append(field)
        return rf"\[(?P<{field}>{_CLF_TIME})\]" if name == "%t" else f"(?P<{field}>{pattern})"

    def _field(self, name: str) -> str | None:
        bare = name.removeprefix("%")
        if self._client is not None:
            header = "http_" + self._client.lower().replace("-", "_")
            if bare.lower() in (self._client.lower(), header):
                return "client"
            if _FIELDS.get(bare) == "client":
                return None
        return "time" if name == "%t" else _FIELDS.get(bare)


def _pattern(name: str, before: str, after: str) -> str:
    if name == "%t":
        return rf"\[{_CLF_TIME}\]"
    if name == "time_local":
        return _CLF_TIME
    if before.endswith('"') and after.startswith('"'):
        return _QUOTED
    # A value ends where what stands behind it begins; at the end of the line it may hold anything.
    return rf"[^{re.escape(after[0])}]*" if after else ".*?"


def _nginx(text: str) -> Iterator[_Piece]:
    end = 0
    for found in _VARIABLE.finditer(text):
        if found.start() > end:
            yield _Piece(text[end : found.start()])
        yield _Piece("", found[1] or found[2])
        end = found.end()
    if end < len(text):
        yield _Piece(text[end:])


def _apache(text: str) -> Iterator[_Piece]:
    text = text.replace('\\"', '"')
    end, literal = 0, ""
    for found in _DIRECTIVE.finditer(text):
        literal += text[end : found.start()]
        end = found.end()
        if found[0] == "%%":
            literal += "%"
            continue
        if literal:
            yield _Piece(literal)
        literal = ""
        yield _Piece("", _directive(found[1], found[3]))
    literal += text[end:]
    if literal:
        yield _Piece(literal)


def _directive(argument: str | None, letter: str) -> str:
    if letter == "t" and argument is not None:
        if argument not in _TIMES:
            raise ValueError(
                "--log-format: of Apache's times %t and %{sec}t, %{msec}t, %{usec}t can be read, got "
                f"'%{{{argument}}}t'"
            )
        return "msec"  # as nginx calls a Unix time
    if argument is not None and letter != "a":
        return argument  # a header's name
    return f"%{letter}"
