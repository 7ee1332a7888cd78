"""What nginx's own variables are in a request, an ASGI scope or a WSGI environ."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from sluicegate.identity.client_address import ClientAddress

__all__ = ["is_known", "scope_of", "value_of"]

_SLASHES: Final = re.compile("/+")
#: What begins the names of a header's, an argument's and a cookie's variable.
_KINDS: Final = ("http_", "arg_", "cookie_")


def scope_of(view: Any) -> Mapping[str, Any]:
    """The scope of what a function of ``keys`` is given: a scope, a ``Request``, or an environ."""
    scope = getattr(view, "scope", view)
    return _of_environ(scope) if "REQUEST_METHOD" in scope else scope


def _of_environ(environ: Mapping[str, Any]) -> Mapping[str, Any]:
    headers = [
        (name[5:].replace("_", "-").lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    ]
    headers += [
        (name.replace("_", "-").lower().encode(), str(environ[name]).encode("latin-1"))
        for name in ("CONTENT_TYPE", "CONTENT_LENGTH")
        if environ.get(name)
    ]
    path = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
    address = environ.get("REMOTE_ADDR")
    return {
        "method": environ["REQUEST_METHOD"],
        "path": path.encode("latin-1").decode("utf-8", "replace"),
        "query_string": str(environ.get("QUERY_STRING", "")).encode("latin-1"),
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "client": (address, 0) if address else None,
        "headers": headers,
    }


def is_known(name: str) -> bool:
    """Whether a request tells what the variable is."""
    return name in _CLIENT or name in _OWN or (name.startswith(_KINDS) and not name.endswith("_"))


def value_of(name: str, scope: Mapping[str, Any], address: ClientAddress) -> str:
    """The variable's value; empty where the request has none."""
    if name in _CLIENT:
        return address(dict(scope)).removeprefix("ip:")
    if name in _OWN:
        return _OWN[name](scope)
    kind, _, rest = name.partition("_")
    if kind == "http":
        return _header(scope, rest)
    if kind == "arg":
        return _pair(_query(scope).split("&"), rest, ignore_case=True)
    return _pair(_header(scope, "cookie").split(";"), rest, ignore_case=False)


def _header(scope: Mapping[str, Any], name: str) -> str:
    wanted = name.replace("_", "-").encode()
    values = [value for key, value in scope.get("headers", ()) if key.lower() == wanted]
    return b", ".join(values).decode("latin-1")


def _pair(pairs: list[str], name: str, *, ignore_case: bool) -> str:
    """The value of the first pair of this name, as it was sent."""
    for pair in pairs:
        key, equals, value = pair.strip(" ").partition("=")
        if equals and (key.lower() == name.lower() if ignore_case else key == name):
            return value
    return ""


def _query(scope: Mapping[str, Any]) -> str:
    query: bytes = scope.get("query_string", b"")
    return query.decode("latin-1")


def _host(scope: Mapping[str, Any]) -> str:
    host = _header(scope, "host").lower()
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0].removesuffix(".")


def _uri(scope: Mapping[str, Any]) -> str:
    path: str = _SLASHES.sub("/", scope.get("path", ""))
    if "/." not in path:
        return path
    found: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del found[-1:]
        elif segment != ".":
            found.append(segment)
    end = "/" if segments[-1] in (".", "..") and found else ""
    return "/" + "/".join(found) + end


def _request_uri(scope: Mapping[str, Any]) -> str:
    raw: bytes | None = scope.get("raw_path")
    path = _uri(scope) if raw is None else raw.decode("latin-1")
    query = _query(scope)
    return f"{path}?{query}" if query else path


def _user(scope: Mapping[str, Any]) -> str:
    kind, _, encoded = _header(scope, "authorization").partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        user, colon, _ = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (ValueError, binascii.Error):
        return ""
    return user.decode("utf-8", "replace") if colon else ""


def _peer(scope: Mapping[str, Any]) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _scheme(scope: Mapping[str, Any]) -> str:
    scheme: str = scope.get("scheme", "http")
    return {"ws": "http", "wss": "https"}.get(scheme, scheme)


def _method(scope: Mapping[str, Any]) -> str:
    return str(scope.get("method", "GET"))  # a WebSocket's handshake has none


def _is_args(scope: Mapping[str, Any]) -> str:
    return "?" if _query(scope) else ""


def _content_type(scope: Mapping[str, Any]) -> str:
    return _header(scope, "content_type")


def _content_length(scope: Mapping[str, Any]) -> str:
    return _header(scope, "content_length")


_CLIENT: Final = ("remote_addr", "binary_remote_addr")
_OWN: Final[dict[str, Callable[[Mapping[str, Any]], str]]] = {
    "realip_remote_addr": _peer,
    "request_method": _method,
    "scheme": _scheme,
    "host": _host,
    "uri": _uri,
    "document_uri": _uri,
    "request_uri": _request_uri,
    "args": _query,
    "query_string": _query,
    "is_args": _is_args,
    "remote_user": _user,
    "content_type": _content_type,
    "content_length": _content_length,
}
