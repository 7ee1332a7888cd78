"""What the callables of :mod:`sluicegate.fastapi` get of a request."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, NoReturn

from starlette.requests import HTTPConnection, Request

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope

__all__ = ["view"]


def view(scope: Scope) -> HTTPConnection:
    """A request without its body, or a WebSocket's handshake, which is a ``GET``."""
    return _Head(scope) if scope["type"] == "http" else _Handshake(scope)


class _Head(Request):
    """A request whose body is left to the app: nothing is ever received here."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        _refuse_body()
        yield b""

    def form(self, **_: Any) -> NoReturn:
        _refuse_body()

    async def is_disconnected(self) -> NoReturn:
        _refuse_body()


class _Handshake(HTTPConnection):
    method = "GET"


def _refuse_body() -> NoReturn:
    raise RuntimeError(
        "limits are decided before the body is read, which is the app's: use the request's "
        "method, url, headers, cookies or client"
    )
