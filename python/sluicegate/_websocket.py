"""WebSockets: refusing a handshake, and limiting messages."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from sluicegate._deciding import resolved

if TYPE_CHECKING:
    from sluicegate._asgi_types import ASGIApp, Message, Receive, Scope, Send
    from sluicegate._core import Decision
    from sluicegate._tiers import Tier

__all__ = ["POLICY_VIOLATION", "Messages", "answers_in_http", "in_websocket_words", "refuse"]

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


class Messages:
    """A connection's ``receive`` and ``send``, where each incoming message costs one.

    One too many closes the connection; the app then sees a disconnect, as if the client
    had gone.
    """

    __slots__ = ("_closed", "_key", "_receive", "_send", "_shadow", "_tier")

    def __init__(self, receive: Receive, send: Send, tier: Tier, key: str, shadow: bool) -> None:
        self._receive = receive
        self._send = send
        self._tier = tier
        self._key = key
        self._shadow = shadow
        self._closed: Message | None = None

    async def receive(self) -> Message:
        if self._closed is not None:
            return self._closed
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        decision: Decision = await resolved(self._tier.check(self._key))
        if decision or self._shadow:
            return message
        self._closed = {**_close(), "type": "websocket.disconnect"}
        await self._send(_close())
        return self._closed

    async def send(self, message: Message) -> None:
        if self._closed is None:
            await self._send(message)
        elif message["type"] == "websocket.send":
            # As servers do once a client has gone, or an app that only sends would never end.
            raise OSError("the connection was closed: too many messages")
