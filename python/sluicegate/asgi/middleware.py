"""The middleware, for any ASGI app: no framework is needed or imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate._core import Answer
from sluicegate._support.awaiting import drive
from sluicegate._support.signatures import takes_app_and
from sluicegate.asgi import websocket
from sluicegate.asgi.option_names import NamesOptions
from sluicegate.asgi.responder import admit_plainly, refuse, release, request_in
from sluicegate.asgi.serving import serve
from sluicegate.asgi.starting import refuses_to_start
from sluicegate.policy.policy import PolicyOfOptions, policy_of
from sluicegate.policy.request import REQUEST, Request

if TYPE_CHECKING:
    from os import PathLike

    from sluicegate._support.asgi_types import ASGIApp, Receive, Scope, Send
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.policy import Policy

    #: An Enforcer, and how it admits plain requests, if it does.
    _AtWork = tuple[Enforcer, Callable[[Scope, Send], Any] | None]

__all__ = ["RateLimitMiddleware"]


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
        policy: a :class:`~sluicegate.policy.Policy`, instead of all other options; or the path of a
            file, as ``"limits.toml"``, beside which the options of
            :meth:`~sluicegate.policy.Policy.from_file` may stand. Those that are made of one file
            and the same options before the first request count together.

    The other options are those of :class:`~sluicegate.policy.Policy`, which says what they mean.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    @takes_app_and(PolicyOfOptions)
    def __init__(
        self,
        app: ASGIApp,
        *tiers: Any,
        policy: Policy | str | PathLike[str] | None = None,
        **options: Any,
    ) -> None:
        made = policy_of(policy, *tiers, **options)
        self.app = app
        self._policy = made  # which keeps what it has counted
        self._at_work: _AtWork = self._ready(made.enforcer)

    def _ready(self, enforcer: Enforcer) -> _AtWork:
        """What decides from now on."""
        self._at_work = enforcer, admit_plainly(enforcer)
        return self._at_work

    def _view(self, scope: Scope) -> Any:
        """What the callables get."""
        return scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        policy = self._policy
        if policy.on_first_request is not None:
            policy.on_first_request()
        enforcer, admit = self._at_work
        if enforcer is not policy.enforcer:  # it has been loaded again
            enforcer, admit = self._ready(policy.enforcer)
        plain: Any = None if admit is None else admit(scope, send)
        if type(plain) is Answer:
            try:
                return await self.app(scope, receive, plain.send)
            finally:
                scope.pop(REQUEST, None)  # the scope may be passed on to another app
        kind = scope["type"]
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
                told: Any = request.decision
                fields: Any = None
                if request.earlier:
                    told = fields = request  # which tells of all
                elif request.tells:
                    fields = request.tier.headers.made
                answer = Answer(request, told, fields, request.headers, send)
                scope[REQUEST] = answer
                send = answer.send
            else:
                scope[REQUEST] = request
            if limited:
                decided = request.deciding() if request.earlier else request.decision
                scope["sluicegate.decision"] = decided
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
                if request.lingers:
                    return await serve(self.app, request, scope, receive, send)
            return await self.app(scope, receive, send)
        finally:
            if outer is None:
                scope.pop(REQUEST, None)  # the scope may be passed on to another app
            else:
                scope[REQUEST] = found
            if permit is not None or request.held is not None or request.earlier:
                await release(permit, *(verdict.held for verdict in request.in_stores()))
