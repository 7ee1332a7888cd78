"""One request's answer: the quota's fields on it, or the whole of a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from typing import TYPE_CHECKING

from sluicegate.asgi import websocket
from sluicegate.policy.cors import expose, origin_of
from sluicegate.policy.fields import refusal_fields
from sluicegate.policy.request import Request

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Message, Receive, Scope, Send
    from sluicegate.headers import Field
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.refusals import Refusal

__all__ = ["Responder"]

_FIRST_MESSAGES = frozenset(
    ("http.response.start", "websocket.accept", "websocket.http.response.start")
)


class Responder(Request):
    """A request, and where its answer goes.

    Attributes:
        enforcer: of the middleware; ``None`` at a ``rate_limit`` that has none before it.
    """

    __slots__ = ("_headers", "_send", "enforcer")

    def __init__(
        self,
        outer: Request | None,
        enforcer: Enforcer | None,
        headers: Iterable[Field],
        send: Send,
    ) -> None:
        self.outer = outer  # not by super(), which would cost a request 0.1 µs
        self.client = self.later = None
        self.enforcer = enforcer
        self._headers = headers
        self._send = send

    def send(self, message: Message) -> Awaitable[None]:
        """Send it on; the first message of an answer also carries the quota's fields."""
        kind = message["type"]
        if kind == "http.response.start" or kind in _FIRST_MESSAGES:
            own = message.get("headers", ())
            ours = self.fields(message.get("status", 101), own)
            if ours:
                # A copy: a message that is sent twice must not collect ours.
                message = dict(message, headers=self._with(ours, own))
        return self._send(message)

    async def refuse(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the policy's ``refusal`` answer the request."""
        assert self.enforcer is not None
        scope["sluicegate.refusal"] = refusal
        refusal.told_as = self.name_of(refusal)
        answer = self.enforcer.policy.refusal
        handshake = scope["type"] == "websocket"
        out = websocket.in_websocket_words(send) if handshake else send

        def send_refusal(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                own = message.get("headers", ())
                headers = self.refusal_fields(refusal, message["status"], own)
                message = dict(message, headers=headers)
            return out(message)

        if handshake:
            await websocket.refuse(answer, scope, receive, send_refusal)
        else:
            await answer(scope, receive, send_refusal)

    def refusal_fields(self, refusal: Refusal, status: int, own: Iterable[Field]) -> list[Field]:
        """A refusal's ``own`` fields, and those that belong to it beside the quotas'."""
        fields = self._with(refusal_fields(refusal, status, own), own)
        cors = None if self.enforcer is None else self.enforcer.cors
        if cors is not None:
            cors.allow(origin_of(self._headers), fields)
        return fields

    def _with(self, ours: list[Field], own: Iterable[Field]) -> list[Field]:
        """``own`` fields and ``ours``, which a script may read wherever it may read the answer."""
        fields = [*own, *ours]
        for name, _ in self._headers:
            if name == b"origin":
                expose(fields, [name for name, _ in ours])
                break
        return fields
