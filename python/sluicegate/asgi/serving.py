"""What rules ask of an admitted request: that it is held for a while, and settled by its status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sluicegate._support.awaiting import drive
from sluicegate.identity.look_ups import pause

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import ASGIApp, Message, Receive, Scope, Send
    from sluicegate.policy.request import Request

__all__ = ["Settling", "hold", "serve"]

_FAILED: Final = 500
#: Statuses of the messages that begin an answer and have none: of a handshake that is accepted, or
#: of one that is closed instead, of which servers make a 403.
_WITHOUT: Final = {"websocket.accept": 101, "websocket.close": 403}
_FIRST: Final = frozenset(("http.response.start", "websocket.http.response.start", *_WITHOUT))


async def serve(app: ASGIApp, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the app, when the request's time has come; settle it before its answer begins."""
    await hold(request, scope)
    if not request.settles():
        await app(scope, receive, send)
        return
    settled = Settling(request, send)
    try:
        await app(scope, receive, settled)
    except Exception:
        await settled.fail()
        raise


async def hold(request: Request, scope: Scope) -> None:
    """Sleep until the request's slot: under a clock for tests not at all."""
    seconds = request.delay()
    if seconds is None:
        return
    scope["sluicegate.delay"] = seconds
    assert request.enforcer is not None
    if seconds > 0 and request.enforcer.policy.clock is None:
        await pause(seconds)


class Settling:
    """A ``send`` that settles a request by the status of its answer, before that is passed on.

    Of an app that ends without an answer, as its client has gone, all stays spent.
    """

    __slots__ = ("_is_known", "_request", "_send")

    def __init__(self, request: Request, send: Send) -> None:
        self._request = request
        self._send = send
        self._is_known = False

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in _FIRST:
            await self._settle(message.get("status") or _WITHOUT.get(kind, 200))
        await self._send(message)

    async def fail(self) -> None:
        """The app has raised: it has failed, unless it has answered already."""
        await self._settle(_FAILED)

    async def _settle(self, status: int) -> None:
        if not self._is_known:
            self._is_known = True
            await drive(self._request.settle(status))
