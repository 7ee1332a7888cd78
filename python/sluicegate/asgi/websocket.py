"""WebSockets: refusing a handshake, and limiting messages."""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from typing import TYPE_CHECKING

from sluicegate._support.awaiting import maybe_await
from sluicegate.policy.verdict import Verdict

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import ASGIApp, Message, Receive, Scope, Send
    from sluicegate.policy.tiers.tier import Tier
    from sluicegate.refusals import Refusal

__all__ = ["Messages", "answers_in_http", "as_websocket", "close_code", "refuse"]

# Of IANA's registry of close codes; the first is also in RFC 6455, section 7.4.1.
_POLICY_VIOLATION = 1008
_TRY_AGAIN_LATER = 1013

# After these of an app there is nothing to close any more.
_LAST_MESSAGES = frozenset(("websocket.close", "websocket.http.response.start"))


def close_code(refusal: Refusal) -> int:
    """The code with which a connection is closed that this refuses."""
    return _TRY_AGAIN_LATER if refusal.unavailable else _POLICY_VIOLATION


def answers_in_http(scope: Scope) -> bool:
    """Whether the server can answer a handshake with an HTTP response of our own."""
    return "websocket.http.response" in (scope.get("extensions") or {})


async def refuse(refusal: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a handshake: with the whole HTTP answer if the server can, else by closing."""
    if answers_in_http(scope):
        await refusal({**scope, "type": "http", "method": "GET"}, receive, send)
    else:
        # Before an accept, servers make a 403 of it.
        await send(_close(scope["sluicegate.refusal"]))


def as_websocket(send: Send) -> Send:
    """``send``, for an HTTP answer to a handshake."""

    def send_translated(message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind.startswith("http."):
            message = {**message, "type": "websocket." + kind}
        return send(message)

    return send_translated


def _close(refusal: Refusal) -> Message:
    return {"type": "websocket.close", "code": close_code(refusal), "reason": refusal.message}


class Messages:
    """A connection's ``receive`` and ``send``, where each incoming message costs one.

    One too many closes the connection; the app then sees a disconnect, as if the client
    had gone. A connection that is over already is left alone.
    """

    __slots__ = ("_closed", "_key", "_over", "_receive", "_send", "_shadow", "_tier")

    def __init__(self, receive: Receive, send: Send, tier: Tier, key: str, shadow: bool) -> None:
        self._receive = receive
        self._send = send
        self._tier = tier
        self._key = key
        self._shadow = shadow
        #: What the app receives after we have closed.
        self._closed: Message | None = None
        #: Whether the app has closed, or the client has gone.
        self._over = False

    async def receive(self) -> Message:
        if self._closed is not None:
            return self._closed
        message = await self._receive()
        self._over |= message["type"] == "websocket.disconnect"
        if message["type"] != "websocket.receive" or self._over:
            return message
        decision: Decision = await maybe_await(self._tier.check(self._key))
        verdict = Verdict()
        verdict.judge(self._tier, self._key, 1, decision)
        if verdict.refusal is None or self._shadow or self._over:
            return message
        return self._closed or await self._close(verdict.refusal)

    async def _close(self, refusal: Refusal) -> Message:
        close = _close(refusal)
        self._closed = {**close, "type": "websocket.disconnect"}
        with suppress(OSError):  # the client has gone meanwhile
            await self._send(close)
        return self._closed

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if self._closed is None:
            self._over |= kind in _LAST_MESSAGES
            await self._send(message)
        elif kind == "websocket.send":
            # As servers do once a client has gone, or an app that only sends would never end.
            raise OSError("the connection was closed: too many messages")
