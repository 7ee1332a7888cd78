"""What the middleware adds to answers: the quota's fields, and the whole of a refusal."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from sluicegate.asgi import websocket

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate._support.asgi_types import ASGIApp, Message, Receive, Scope, Send
    from sluicegate.policy.deciding import Charge
    from sluicegate.policy.tiers import Tier

__all__ = ["refuse", "with_fields"]

_FIRST_MESSAGES = frozenset(
    ("http.response.start", "websocket.accept", "websocket.http.response.start")
)


def with_fields(scope: Scope, send: Send, tier: Tier, decision: Decision) -> Send:
    """``send``, but the first message of an answer also carries the quota's fields."""

    def send_with_fields(message: Message) -> Awaitable[None]:
        if message["type"] in _FIRST_MESSAGES:
            own = message.get("headers", ())
            # A limit further in, which knows more, may have told of its own quota.
            alone = scope["sluicegate.decision"] is decision or not any(
                name.lower() == b"x-ratelimit-limit" for name, _ in own
            )
            fields = tier.headers.fields(decision, own, alone)
            # A copy: a message that is sent twice must not collect ours.
            message = {**message, "headers": fields}
        return send(message)

    return send_with_fields


async def refuse(
    answer: ASGIApp, charge: Charge, scope: Scope, receive: Receive, send: Send
) -> None:
    """Let ``answer`` refuse the request, with the fields that belong to it."""
    refusal = charge.refusal
    assert refusal is not None
    scope["sluicegate.refusal"] = refusal
    fields: list[tuple[bytes, bytes]] = []
    if refusal.retry_after is not None:
        fields.append((b"retry-after", b"%d" % refusal.retry_after))
    if charge.decision is not None and not refusal.unavailable:
        fields += charge.tier.headers.fields(charge.decision)
    handshake = scope["type"] == "websocket"
    out = websocket.in_websocket_words(send) if handshake else send

    def send_refusal(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", ()))
            names = {name.lower() for name, _ in own}
            own += [field for field in fields if field[0] not in names]
            message = {**message, "headers": own}
        return out(message)

    if handshake:
        await websocket.refuse(answer, scope, receive, send_refusal)
    else:
        await answer(scope, receive, send_refusal)
