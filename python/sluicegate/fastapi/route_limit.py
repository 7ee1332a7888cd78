"""A limit of one endpoint: with a middleware before it, by its identity, store and observers."""

from __future__ import annotations

from collections.abc import Iterable
from time import time
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from fastapi import Response
from starlette.requests import HTTPConnection

from sluicegate._support.awaiting import drive
from sluicegate.asgi.responder import request_in
from sluicegate.errors import StoreError
from sluicegate.fastapi.answering import request_of
from sluicegate.fastapi.mounts import warn_of_mounts
from sluicegate.fastapi.refusing import header_text, refused
from sluicegate.fastapi.route_options import RouteOptions
from sluicegate.fastapi.routes import route_key
from sluicegate.fastapi.views import view
from sluicegate.identity.client import api_client, user_client
from sluicegate.identity.principal import principal_of
from sluicegate.policy.making import make_limiter, tier_of
from sluicegate.policy.request import REQUEST, Request
from sluicegate.policy.steps import Steps, checked_cost, checked_text
from sluicegate.policy.stores.options import LimiterOptions
from sluicegate.policy.tiers.tier import is_elsewhere
from sluicegate.policy.verdict import Verdict

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.tiers.tier import Tier
    from sluicegate.types import AnyLimiter

__all__ = ["RouteLimit", "limit_of"]


class RouteLimit:
    """One ``rate_limit``; ``limited`` is the dependency."""

    def __init__(self, options: RouteOptions) -> None:
        self._options = options
        self._address = options.client_address()
        self._has_own_address = options.has_own_address()
        self._tier = self._tier_of(self._limiter(options), options.closed_status)
        #: By the enforcer of the middleware before it.
        self._tiers: WeakKeyDictionary[Enforcer, Tier] = WeakKeyDictionary()
        self._has_looked_for_mounts = False

    @property
    def header_sets(self) -> Iterable[str] | str:
        """The sets of fields that its answers have."""
        return self._options.headers

    async def limited(self, connection: HTTPConnection, response: Response) -> dict[str, Any]:
        """Charge a call of the endpoint, and say what is left."""
        scope = connection.scope
        if not self._has_looked_for_mounts:
            self._has_looked_for_mounts = True
            warn_of_mounts(scope, _is_limit)
        request = request_in(scope)
        if request is None:
            request = scope[REQUEST] = request_of(connection, self._tier)
        enforcer = request.enforcer
        tier = self._tier if enforcer is None else self._tier_under(enforcer)
        verdict = Verdict()
        await drive(self._charge(verdict, request, enforcer, scope, tier))
        request.add(verdict)
        decision, refusal = verdict.decision, verdict.refusal
        if decision is not None:
            scope["sluicegate.decision"] = decision
        if enforcer is not None and enforcer.observer is not None:
            enforcer.observer.saw(scope, view, verdict)
        if refusal is not None and not (enforcer is not None and enforcer.policy.shadow):
            await drive(request.give_back())
            raise refused(request, scope, refusal)
        if not request.is_answered:
            for name, value in header_text(request.fields(200, ())).items():
                response.headers[name] = value
        return await drive(_left(verdict)) if decision is None else decision.info

    def _charge(
        self,
        verdict: Verdict,
        request: Request,
        enforcer: Enforcer | None,
        scope: Scope,
        tier: Tier,
    ) -> Steps[None]:
        seen, options = view(scope), self._options
        cost = 1 if options.cost is None else checked_cost((yield options.cost, (seen,)))
        identify = options.identify
        who = None if identify is None else checked_text("identify", (yield identify, (seen,)))
        if who is not None:
            # A gate knows clients as the middleware does that has the same gate.
            client = who if options.has_gate else f"id:{who}"
        elif (
            options.has_gate and request.client is not None and request.client.source == "identify"
        ):
            client = request.client.key
        elif enforcer is None or self._has_own_address:
            client = self._address(scope)
        else:
            hides = enforcer.hides_keys or is_elsewhere(tier.limiter)
            client = yield from _client_of(request, enforcer, scope, hides)
        if not options.has_gate:
            yield from verdict.charge(tier, route_key(scope, options.name, client), cost)
            return
        # Its state is its own: endpoints that have one gate share what it allows.
        keys = None if tier.keys is None else (yield from tier.keys.of(client, seen))
        yield from verdict.charge(tier, client, cost, None, keys)

    def _tier_under(self, enforcer: Enforcer) -> Tier:
        """The tier in the store of a middleware's policy, if this limit names no place itself."""
        tier = self._tiers.get(enforcer)
        if tier is None:
            limiter, store = self._tier.limiter, enforcer.policy.of_store()
            own = self._options
            if store and not own.of_store() and not own.has_gate:
                made = self._limiter(LimiterOptions(algorithm=self._options.algorithm, **store))
                limiter = enforcer.owned.first(("rate_limit", self), made)
            named = self._options.is_given("closed_status")
            status = (self._options if named else enforcer.policy).closed_status
            tier = self._tier_of(limiter, status, enforcer.policy.shadow)
            if enforcer.observer is not None:
                enforcer.observer.watch(tier)
            self._tiers[enforcer] = tier
        return tier

    def _limiter(self, options: LimiterOptions) -> AnyLimiter:
        own = self._options
        return make_limiter("rate_limit", own.quota(), options, "route", own.name)

    def _tier_of(self, limiter: AnyLimiter, closed_status: int, shadow: bool = False) -> Tier:
        own = self._options
        return tier_of(
            "rate_limit",
            own.name,
            limiter,
            own,
            is_own=not own.has_gate,
            sets=own.headers,
            closed_status=closed_status,
            shadow=shadow,
        )


def limit_of(dependency: Any) -> RouteLimit | None:
    """The limit whose dependency this is."""
    owner = getattr(dependency, "__self__", None)
    return owner if isinstance(owner, RouteLimit) else None


def _is_limit(dependency: Any) -> bool:
    return limit_of(dependency) is not None


def _client_of(request: Request, enforcer: Enforcer, scope: Scope, hides: bool) -> Steps[str]:
    """Whom a middleware has found, or who has logged in since."""
    client = request.client
    if client is None:  # it has not been looked for, as where the request is exempt
        client = yield from enforcer.find_client(scope, view(scope))
    if client.source in ("address", "unknown_api_key"):
        principal = principal_of(scope)
        return enforcer.address(scope) if principal is None else user_client(principal).key
    if client.source == "identify":
        return f"id:{client.key}"
    if client.source == "api_key" and client.principal is not None:
        return api_client(client.principal, hides).key
    return client.key


def _left(verdict: Verdict) -> Steps[dict[str, Any]]:
    """What is told of a call that is not charged, which no server may refuse."""
    tier = verdict.tier
    try:
        left = yield tier.limiter.peek, (verdict.charged_to(verdict.key), tier.one)
    except StoreError:
        return {"remaining": tier.terms.limit, "reset_at": time()}
    return {"remaining": left.remaining, "reset_at": left.reset_at}
