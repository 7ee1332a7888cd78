"""The middleware, for any ASGI app: no framework is needed or imported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sluicegate._core import Decision
from sluicegate._support.awaiting import drive
from sluicegate._support.signatures import takes_app_and
from sluicegate.asgi import websocket
from sluicegate.asgi.option_names import NamesOptions
from sluicegate.asgi.responder import Responder
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

    ``RateLimitMiddleware(app, tiers={"free": (100, 60), "premium": (10000, 60)})``,
    ``RateLimitMiddleware(app, limiter=any_limiter)`` or
    ``RateLimitMiddleware(app, policy=policy)``. Refused requests get a
    429 with ``Retry-After``; one whose cost exceeds the limit gets a 413. The decision is in
    ``scope["sluicegate.decision"]``. Adds some 5 µs to a request.

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

    def _view(self, scope: Scope) -> Any:
        """What the callables get."""
        return scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        enforcer = self._enforcer
        if kind != "http" and kind != "websocket":
            refuses = kind == "lifespan" and enforcer.needs_asyncio
            if not (refuses and await refuses_to_start(receive, send)):
                await self.app(scope, receive, send)
            return None
        outer: Request | None = scope.get(REQUEST)
        headers = scope.get("headers", ())
        permit = None if enforcer.permits is None else enforcer.new_permit()
        try:
            free = scope.get("method") == "OPTIONS" and enforcer.is_free(scope)
            if not free and enforcer.exempt is not None:
                free = await drive(enforcer.is_exempt(scope, self._view))
            if free:
                request = scope[REQUEST] = Responder.of(outer, enforcer, headers, send)
                request.leave(enforcer.default, "", 0)
                return await self.app(scope, receive, request.send if outer is None else send)
            if enforcer.is_plain and "user" not in scope:
                # As `decide`, of which one call is left, so that nothing else is awaited.
                tier, key = enforcer.default, enforcer.address(scope)
                decision = tier.check(key)
                if type(decision) is not Decision and hasattr(decision, "__await__"):
                    decision = await decision
                if decision:  # as `judge`, and all without a call: each costs 0.3 µs
                    request = Responder()
                    request.outer = outer
                    request.enforcer = enforcer
                    request.headers = headers
                    request.out = send
                    request.tier = tier
                    request.key = key
                    request.decision = decision
                    request.tells = tier.tells
                else:
                    request = Responder.of(outer, enforcer, headers, send)
                    request.judge(tier, key, 1, decision)
            else:
                request = Responder.of(outer, enforcer, headers, send)
                await drive(enforcer.decide(request, scope, self._view(scope), permit))
            scope[REQUEST] = request
            scope["sluicegate.decision"] = request.decision
            if enforcer.observer is not None:
                enforcer.observer.saw(scope, self._view, request)
            if outer is None:
                send = request.send
            else:
                outer.add(request)
            if request.refusal is not None and not enforcer.policy.shadow:
                if outer is not None:  # else there is nothing but this verdict
                    await drive(request.give_back())
                return await request.refuse(request.refusal, scope, receive, send)
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
                scope[REQUEST] = outer
            if permit is not None:
                released = permit.release()
                if released is not None:
                    await released
