"""WebSockets: refusing a handshake, and limiting messages."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from sluicegate._deciding import resolved

if TYPE_CHECKING:
    from sluicegate._asgi_types import ASGIApp, Message, Receive, Scope, Send
    from sluicegate._core import Decision
    from sluicegate._tiers import Tier

__all__ = ["POLICY_VIOLATION", "answers_in_http", "in_websocket_words", "limited", "refuse"]

#: RFC 6455, section 7.4.1.
POLICY_VIOLATION = 1008


def answers_in_http(scope: Scope) -> bool:
    """Whether the server can answer a handshake with an HTTP response of our own."""
    return "websocket.http.response" in (scope.get("extensions") or {})


async def refuse(refusal: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a handshake: with the whole HTTP answer if the server can, else by closing."""
    if answers_in_http(scope):
        await refusal({**scope, "type": "http", "method": "GET"}, receive, send)
    else:
        # Before an accept, servers make a 403 of it.
        await send(_close())


def in_websocket_words(send: Send) -> Send:
    """``send``, for an HTTP answer to a handshake."""

    def send_translated(message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind.startswith("http."):
            message = {**message, "type": "websocket." + kind}
        return send(message)

    return send_translated


def _close() -> Message:
    return {"type": "websocket.close", "code": POLICY_VIOLATION, "reason": "Rate limit exceeded"}


def limited(receive: Receive, send: Send, tier: Tier, key: str) -> Receive:
    """``receive``, but each message costs one, and one too many closes the connection."""
    closed: Message | None = None

    async def receive_limited() -> Message:
        nonlocal closed
        if closed is not None:
            return closed
        message = await receive()
        if message["type"] != "websocket.receive":
            return message
        decision: Decision = await resolved(tier.check(key))
        if decision:
            return message
        await send(_close())
        closed = {**_close(), "type": "websocket.disconnect"}
        return closed

    return receive_limited
