"""The middleware, for any ASGI app: no framework is needed or imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluicegate._core import Answer
from sluicegate._support.awaiting import drive
from sluicegate._support.signatures import takes_app_and
from sluicegate.asgi import websocket
from sluicegate.asgi.option_names import NamesOptions
from sluicegate.asgi.responder import admit_plainly, refuse, release, request_in
from sluicegate.asgi.starting import refuses_to_start
from sluicegate.policy.owned import Owned, owned_by
from sluicegate.policy.policy import Policy
from sluicegate.policy.request import REQUEST, Request

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import ASGIApp, Receive, Scope, Send

__all__ = ["RateLimitMiddleware"]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PolicyOfOptions(Policy):
    """A policy of a middleware's own options, of which ``policy`` replaces all others.

    Those that are made of one ``tiers`` object before the first request count together.
    """

    policy: Policy | None = None

    def _owned(self) -> Owned:
        return owned_by(self.limiter if self.tiers is None else self.tiers)


class RateLimitMiddleware(NamesOptions):
    """Limits the requests to an ASGI app, by client.

    ``RateLimitMiddleware(app, tiers={"free": "100/minute", "premium": "1000/minute"})``,
    ``RateLimitMiddleware(app, limiter=any_limiter)`` or
    ``RateLimitMiddleware(app, policy=policy)``. Refused requests get a
    429 with ``Retry-After``; one whose cost exceeds the limit gets a 413. The decision is in
    ``scope["sluicegate.decision"]``. Adds some 4 µs to a request.

    Those that are made of one ``tiers`` object before the first request count together, as
    where a framework makes one for each route; so do those of one policy, whenever they are made.

    Args:
        app: the ASGI app.
        policy: a :class:`~sluicegate.policy.Policy`, instead of all other options.

    The other options are those of :class:`~sluicegate.policy.Policy`, which says what they mean.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    @takes_app_and(PolicyOfOptions)
    def __init__(
        self, app: ASGIApp, *tiers: Any, policy: Policy | None = None, **options: Any
    ) -> None:
        if policy is None:
            policy = PolicyOfOptions(*tiers, **options)
        elif tiers or options:
            given = "tiers" if tiers else next(iter(options))
            raise TypeError(f"policy= stands for all other options: leave out {given}=")
        elif not isinstance(policy, Policy):
            raise TypeError(f"policy must be a Policy, got {policy!r}")
        self.app = app
        self._policy = policy  # which keeps what it has counted
        self._enforcer = policy.enforcer
        self._admit = admit_plainly(policy.enforcer)

    @property
    def policy(self) -> Policy:
        """The policy, of which others may have middlewares, too."""
        return self._policy

    def _view(self, scope: Scope) -> Any:
        """What the callables get."""
        return scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain: Any = None if self._admit is None else self._admit(scope, send)
        if type(plain) is Answer:
            try:
                return await self.app(scope, receive, plain.send)
            finally:
                scope.pop(REQUEST, None)  # the scope may be passed on to another app
        kind = scope["type"]
        enforcer = self._enforcer
        if kind != "http" and kind != "websocket":
            refuses = kind == "lifespan" and enforcer.needs_asyncio
            if not (refuses and await refuses_to_start(receive, send)):
                await self.app(scope, receive, send)
            return None
        request = Request(enforcer, scope.get("headers", ()))
        found = scope.get(REQUEST)
        outer = request.outer = None if found is None else request_in(scope)
        permit = None if enforcer.permits is None else enforcer.new_permit()
        try:
            if plain is None:
                limited = await drive(enforcer.decide(request, scope, self._view, permit))
            else:
                limited, (key, decision) = True, plain
                if hasattr(decision, "__await__"):
                    decision = await decision
                request.judge(enforcer.default, key, 1, decision)
            if outer is None:
                fields = request.tier.headers.made if request.tells else None
                answer = Answer(request, request.decision, fields, request.headers, send)
                scope[REQUEST] = answer
                send = answer.send
            else:
                scope[REQUEST] = request
            if limited:
                scope["sluicegate.decision"] = request.decision
                if enforcer.observer is not None:
                    enforcer.observer.saw(scope, self._view, request)
                if outer is not None:
                    outer.add(request)
                if request.refusal is not None and not enforcer.policy.shadow:
                    if outer is not None:  # else there is nothing but this verdict
                        await drive(request.give_back())
                    return await refuse(request, request.refusal, scope, receive, send)
                if kind == "websocket" and enforcer.messages is not None:
                    messages = websocket.Messages(
                        receive, send, enforcer.messages, request.key, enforcer.policy.shadow
                    )
                    receive, send = messages.receive, messages.send
            return await self.app(scope, receive, send)
        finally:
            if outer is None:
                scope.pop(REQUEST, None)  # the scope may be passed on to another app
            else:
                scope[REQUEST] = found
            if permit is not None or request.held is not None:
                await release(permit, request.held)
