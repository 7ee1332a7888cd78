"""What rules ask of an admitted request: that it is held for a while, and settled by its status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sluicegate._support.awaiting import drive
from sluicegate.identity.look_ups import pause

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import ASGIApp, Message, Receive, Scope, Send
    from sluicegate.policy.request import Request

__all__ = ["hold", "serve"]

_FAILED: Final = 500
#: Statuses of the messages that begin an answer and have none: of a handshake that is accepted, or
#: of one that is closed instead, of which servers make a 403.
_WITHOUT: Final = {"websocket.accept": 101, "websocket.close": 403}
_FIRST: Final = frozenset(("http.response.start", "websocket.http.response.start", *_WITHOUT))


async def serve(app: ASGIApp, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the app, when the request's time has come; settle it before its answer begins."""
    await hold(request, scope)
    if request.settles():
        await _settled(app, request, scope, receive, send)
    else:
        await app(scope, receive, send)


async def hold(request: Request, scope: Scope) -> None:
    """Sleep until the request's slot: under a clock for tests not at all."""
    seconds = request.delay()
    if seconds is None:
        return
    scope["sluicegate.delay"] = seconds
    assert request.enforcer is not None
    if seconds > 0 and request.enforcer.policy.clock is None:
        await pause(seconds)


async def _settled(
    app: ASGIApp, request: Request, scope: Scope, receive: Receive, send: Send
) -> None:
    """An app that raises has failed; of one that ends without an answer, as its client has gone, all
    stays spent.
    """
    is_known = False

    async def send_settled(message: Message) -> None:
        nonlocal is_known
        kind = message["type"]
        if not is_known and kind in _FIRST:
            is_known = True
            status: int = message.get("status") or _WITHOUT.get(kind, 200)
            await drive(request.settle(status))
        await send(message)

    try:
        await app(scope, receive, send_settled)
    except Exception:
        if not is_known:
            await drive(request.settle(_FAILED))
        raise
