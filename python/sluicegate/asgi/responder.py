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
    from sluicegate.policy.cors import Cors
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
        headers: the request's own.
        out: where messages of the answer go on to.
    """

    enforcer: Enforcer | None
    headers: Iterable[Field]
    out: Send

    @classmethod
    def of(
        cls, outer: Request | None, enforcer: Enforcer | None, headers: Iterable[Field], send: Send
    ) -> Responder:
        """A request about which nothing is decided yet."""
        request = cls()
        request.outer, request.enforcer = outer, enforcer
        request.headers, request.out = headers, send
        return request

    def send(self, message: Message) -> Awaitable[None]:
        """Send it on; the first message of an answer also carries the fields that are ours."""
        kind = message["type"]
        if kind == "http.response.start" or kind in _FIRST_MESSAGES:
            own, status = message.get("headers", ()), message.get("status", 101)
            fields: list[Field] | None = None
            if self.later is None and not 300 <= status < 400:
                # Most often, and not by methods of Python's: after an app has run, each costs
                # 0.25 µs for being called at all.
                if self.tells:
                    assert self.decision is not None
                    fields = self.tier.headers.made.beside(self.decision, own, self.headers)
                elif self.refused is None:
                    return self.out(message)
            if fields is None:
                fields = self.all_fields(status, own)
            elif self.refused is not None:
                refusal, cors = self.refused
                fields += refusal_fields(refusal, status, own)
                if cors is not None:
                    cors.allow(None, fields)
            # A copy: a message that is sent twice must not collect ours.
            message = dict(message, headers=fields)
        return self.out(message)

    def all_fields(self, status: int, own: Iterable[Field]) -> list[Field]:
        """An answer's ``own`` fields and ours, of all limits, and what scripts may read of them."""
        fields = [*own]
        ours = self.fields(status, fields)
        if self.refused is not None:
            return self.refusal_fields(*self.refused, status, fields, ours)
        fields += ours
        if ours and origin_of(self.headers) is not None:
            expose(fields, [name for name, _ in ours])
        return fields

    async def refuse(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the policy's ``refusal`` answer the request."""
        assert self.enforcer is not None
        scope["sluicegate.refusal"] = refusal
        refusal.told_as = self.name_of(refusal)
        self.outermost().refused = refusal, self.enforcer.cors
        answer = self.enforcer.policy.refusal
        if scope["type"] == "websocket":
            await websocket.refuse(answer, scope, receive, websocket.in_websocket_words(send))
        else:
            await answer(scope, receive, send)

    def refusal_fields(
        self,
        refusal: Refusal,
        cors: Cors | None,
        status: int,
        own: Iterable[Field] = (),
        quotas: Iterable[Field] = (),
    ) -> list[Field]:
        """A refusal's ``own`` fields, those of the ``quotas``, and what belongs to it beside them."""
        ours = [*refusal_fields(refusal, status, own), *quotas]
        fields, origin = [*own, *ours], origin_of(self.headers)
        if origin is not None:
            expose(fields, [name for name, _ in ours])
        if cors is not None:
            cors.allow(origin, fields)
        return fields
