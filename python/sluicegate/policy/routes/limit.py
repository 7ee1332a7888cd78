"""A limit of one endpoint: with a middleware before it, by its identity, store and observers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sluicegate.identity.client import api_client, user_client
from sluicegate.identity.principal import principal_of
from sluicegate.policy.making import make_limiter, tier_of
from sluicegate.policy.routes.keys import key_of_scope
from sluicegate.policy.routes.options import RouteOptions
from sluicegate.policy.routes.scopes import limiter_of_scope
from sluicegate.policy.steps import Steps, checked_cost, checked_text
from sluicegate.policy.stores.options import LimiterOptions
from sluicegate.policy.tiers.tier import is_elsewhere
from sluicegate.policy.verbs import refuse_coroutines
from sluicegate.policy.verdict import Verdict

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.request import Request
    from sluicegate.policy.tiers.tier import Tier
    from sluicegate.types import AnyLimiter

__all__ = ["RouteLimit"]


class RouteLimit:
    """One ``rate_limit``, without I/O: steps that a framework's shell makes.

    A ``blocking`` one asks limiters by verbs that block their thread.

    Attributes:
        tier: by which calls are limited that have met no middleware.
    """

    def __init__(self, options: RouteOptions, *, blocking: bool = False) -> None:
        if blocking:
            refuse_coroutines(options)
        self._options = options
        self._blocks = blocking
        self._address = options.client_address()
        self._has_own_address = options.has_own_address()
        limiter = self._limiter(options)
        if options.scope is not None:
            limiter = limiter_of_scope(options, limiter)
        self.tier = self._tier_of(limiter, options.closed_status)
        #: By the enforcer of the middleware before it.
        self._tiers: WeakKeyDictionary[Enforcer, Tier] = WeakKeyDictionary()

    @property
    def header_sets(self) -> Iterable[str] | str:
        """The sets of fields that its answers have."""
        return self._options.headers

    def decide(
        self,
        request: Request,
        scope: Scope,
        view: Callable[[Scope], Any],
        route_key: Callable[[Scope, str, str], str],
    ) -> Steps[Verdict]:
        """Charge a call of the endpoint. One that is refused gets back what it has spent before.

        ``route_key`` gives the key of a client at the limit of this name.
        """
        enforcer = request.enforcer
        tier = self.tier if enforcer is None else self._tier_under(enforcer)
        verdict = Verdict()
        yield from self._charge(verdict, request, scope, view, tier, route_key)
        request.add(verdict)
        if verdict.decision is not None:
            scope["sluicegate.decision"] = verdict.decision
        if enforcer is not None and enforcer.observer is not None:
            enforcer.observer.saw(scope, view, verdict)
        if self.refuses(verdict, enforcer):
            yield from request.give_back()
        return verdict

    @staticmethod
    def refuses(verdict: Verdict, enforcer: Enforcer | None) -> bool:
        """Whether the call is to be refused, and not only counted so."""
        is_shadow = enforcer is not None and enforcer.policy.shadow
        return verdict.refusal is not None and not is_shadow

    def _charge(
        self,
        verdict: Verdict,
        request: Request,
        scope: Scope,
        view: Callable[[Scope], Any],
        tier: Tier,
        route_key: Callable[[Scope, str, str], str],
    ) -> Steps[None]:
        seen, options, enforcer = view(scope), self._options, request.enforcer
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
            client = yield from _client_of(request, enforcer, scope, view, hides)
        if options.has_gate:
            # Its state is its own: endpoints that have one gate share what it allows.
            keys = None if tier.keys is None else (yield from tier.keys.of(client, seen))
            yield from verdict.charge(tier, client, cost, None, keys)
        elif options.scope is not None:
            yield from verdict.charge(tier, key_of_scope(options.scope, client), cost)
        else:
            yield from verdict.charge(tier, route_key(scope, options.name, client), cost)

    def _tier_under(self, enforcer: Enforcer) -> Tier:
        """The tier in the store of a middleware's policy, if this limit names no place itself."""
        tier = self._tiers.get(enforcer)
        if tier is None:
            limiter, store = self.tier.limiter, enforcer.policy.of_store()
            own = self._options
            if store and not own.of_store() and not own.has_gate:
                made = self._limiter(LimiterOptions(algorithm=self._options.algorithm, **store))
                which = self if own.scope is None else own.scope_description()
                limiter = enforcer.owned.first(("rate_limit", which), made)
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
            blocks=self._blocks,
        )


def _client_of(
    request: Request, enforcer: Enforcer, scope: Scope, view: Callable[[Scope], Any], hides: bool
) -> Steps[str]:
    """Whom a middleware has found, or who has logged in since."""
    client = request.client
    if client is None:  # it has not been looked for, as where the request is exempt
        client = yield from enforcer.clients.find(scope, view(scope))
    if client.source in ("address", "unknown_api_key"):
        principal = principal_of(scope)
        return enforcer.address(scope) if principal is None else user_client(principal).key
    if client.source == "identify":
        return f"id:{client.key}"
    if client.source == "api_key" and client.principal is not None:
        return api_client(client.principal, hides).key
    return client.key
