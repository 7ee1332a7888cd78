"""One request's answer: the quota's fields on it, or the whole of a refusal."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

from sluicegate.asgi import websocket
from sluicegate.policy.request import Request

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Message, Receive, Scope, Send
    from sluicegate.headers import Field
    from sluicegate.policy.client import Client
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.verdict import Verdict
    from sluicegate.refusals import Refusal

__all__ = ["Responder", "refusal_fields"]

_FIRST_MESSAGES = frozenset(
    ("http.response.start", "websocket.accept", "websocket.http.response.start")
)


class Responder(Request):
    """A request, and where its answer goes."""

    __slots__ = ("_send", "enforcer")

    def __init__(
        self,
        scope: Scope,
        verdict: Verdict | None,
        client: Client | None,
        enforcer: Enforcer,
        send: Send,
    ) -> None:
        super().__init__(scope, verdict, client)
        self.enforcer = enforcer
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        """Send it on; the first message of an answer also carries the quota's fields."""
        if message["type"] in _FIRST_MESSAGES:
            # A copy: a message that is sent twice must not collect ours.
            message = dict(message, headers=self.fields(message.get("headers", ())))
        return self._send(message)

    async def refuse(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the policy's ``refusal`` answer the request."""
        scope["sluicegate.refusal"] = refusal
        answer = self.enforcer.policy.refusal
        fields = refusal_fields(refusal)
        handshake = scope["type"] == "websocket"
        out = websocket.in_websocket_words(send) if handshake else send

        def send_refusal(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                names = {name.lower() for name, _ in own}
                own += [each for each in fields if each[0] not in names]
                message = {**message, "headers": own}
            return out(message)

        if handshake:
            await websocket.refuse(answer, scope, receive, send_refusal)
        else:
            await answer(scope, receive, send_refusal)


def refusal_fields(refusal: Refusal) -> list[Field]:
    """The header fields of a refusal, beside those of the quotas."""
    if refusal.retry_after is None:
        return []
    return [(b"retry-after", b"%d" % refusal.retry_after)]
