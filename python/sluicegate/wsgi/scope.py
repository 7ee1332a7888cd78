"""A WSGI request as policies look at it, which is as ASGI describes one."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from sluicegate.identity.client_address import ENVIRON

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Environ
    from sluicegate.headers import Field

__all__ = ["as_bytes", "environ_of", "origin_in", "scope_of"]

# CGI names these two otherwise than all other header fields.
_UNPREFIXED: Final = {"CONTENT_TYPE": b"content-type", "CONTENT_LENGTH": b"content-length"}


def scope_of(environ: Environ) -> dict[str, Any]:
    """The scope of a request. Nothing that the client says can be anything but a header or a path.

    CGI's names have no hyphen: what a server makes of a header ``X_Api_Key`` cannot be told from
    ``X-Api-Key``.
    """
    root, path = _text(environ.get("SCRIPT_NAME", "")), _text(environ.get("PATH_INFO", ""))
    if not path.startswith("/"):
        path = f"/{path}"  # as frameworks route it
    scope = {
        "type": "http",
        "http_version": environ.get("SERVER_PROTOCOL", "HTTP/1.1").rpartition("/")[2],
        "method": environ.get("REQUEST_METHOD", "GET").upper(),  # as Flask and Django read it
        "scheme": environ.get("wsgi.url_scheme", "http"),
        "path": root + path,
        "root_path": root,
        "query_string": as_bytes(environ.get("QUERY_STRING", "")),
        "headers": _Headers(environ),
        "client": _address(environ, "REMOTE_ADDR", "REMOTE_PORT"),
        "server": _address(environ, "SERVER_NAME", "SERVER_PORT"),
        ENVIRON: environ,
    }
    login = environ.get("REMOTE_USER")
    if login:
        scope["user"] = _Login(login)
    return scope


def environ_of(scope: Any) -> Environ:
    """What the scope was made of: what the options' functions get."""
    environ: Environ = scope[ENVIRON]
    return environ


def origin_in(environ: Environ) -> list[Field]:
    """The header ``Origin``, if there is one."""
    origin = environ.get("HTTP_ORIGIN")
    return [] if origin is None else [(b"origin", as_bytes(origin))]


def as_bytes(text: str) -> bytes:
    """What was sent, of what WSGI makes of it: each character is a byte."""
    return text.encode("latin-1", "replace")


def _text(path: str) -> str:
    """A path as text. Bytes that are no UTF-8 are U+FFFD, as Flask has them."""
    if path.isascii():
        return path
    try:
        return path.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return path  # text already, as Django leaves it there


def _address(environ: Environ, host: str, port: str) -> tuple[str, int] | None:
    address, number = environ.get(host), environ.get(port)
    if not address:
        return None  # a Unix socket
    return address, int(number) if isinstance(number, str) and number.isdecimal() else 0


class _Login:
    """Whom the server, or what stands before us, has named as ``REMOTE_USER``: no header can."""

    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.identity = name


class _Headers:
    """The header fields, which are looked for when somebody asks."""

    __slots__ = ("_environ", "_fields")

    def __init__(self, environ: Environ) -> None:
        self._environ = environ
        self._fields: list[Field] | None = None

    def __iter__(self) -> Iterator[Field]:
        if self._fields is None:
            self._fields = [
                (name, as_bytes(value))
                for key, value in self._environ.items()
                if isinstance(value, str) and (name := _field_name(key)) is not None
            ]
        return iter(self._fields)


@lru_cache(maxsize=1_024)
def _field_name(key: str) -> bytes | None:
    if key.startswith("HTTP_"):
        return as_bytes(key[5:].replace("_", "-").lower())
    return _UNPREFIXED.get(key)
