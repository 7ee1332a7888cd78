"""A policy at work: who a request is from, by which tier it is limited, and the decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate._support import fork
from sluicegate.identity.client import Client, api_client, user_client
from sluicegate.identity.principal import principal_of
from sluicegate.identity.proxies import header_name
from sluicegate.policy.algorithms import is_ours
from sluicegate.policy.cors import Cors, is_preflight
from sluicegate.policy.enforcing.api_keys import verified_keys
from sluicegate.policy.enforcing.at_work import check_together, rules_at_work
from sluicegate.policy.enforcing.stores import RuleStores
from sluicegate.policy.enforcing.subject import Subject
from sluicegate.policy.enforcing.unused import refuse_unused
from sluicegate.policy.exempt import Paths, exemption, path_of
from sluicegate.policy.gates.joint import JointLimits
from sluicegate.policy.held.permits import RequestPermit, acquire_of, permits_of
from sluicegate.policy.making import check_limiter, make_limiter, tier_of
from sluicegate.policy.observer import observer_of
from sluicegate.policy.steps import Charged, Steps, checked_cost, checked_text
from sluicegate.policy.tiers.of_policy import tiers_of
from sluicegate.policy.tiers.tier import Tier, is_elsewhere
from sluicegate.policy.verbs import refuse_coroutines

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Scope
    from sluicegate.policy.enforcing.rules import PolicyRules
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.owned import Owned
    from sluicegate.policy.verdict import Verdict

__all__ = ["Enforcer"]

#: Wrong API keys that an address may try, and in how many seconds, where no tier says it.
_TRIES = 100, 60.0


class Enforcer:
    """Decides for requests by one policy, with limiters that are ``owned``'s.

    It does no I/O: what has to be called, and perhaps awaited, are steps that a shell makes.
    The ``view`` of a request is what the options' functions get of it. A ``blocking`` one asks
    limiters by verbs that block their thread, for WSGI, and gives nothing to await.
    """

    def __init__(self, policy: PolicyOptions, owned: Owned, *, blocking: bool = False) -> None:
        if policy.tiers is not None and policy.limiter is not None:
            raise TypeError("a policy needs either tiers= or limiter=, got both")
        if policy.has_only_rules and not policy.rules:
            raise TypeError("a policy needs tiers=, limiter= or rules=, got none of them")
        if policy.limiter is not None:
            check_limiter("limiter", policy.limiter)
        self.policy = policy
        self.owned = owned
        self._lock = fork.new_lock()
        self.blocking = blocking
        self._for_threads: Enforcer | None = None
        if blocking:
            refuse_coroutines(policy)
        stores, joint = None, None
        if policy.rules:
            check_together(policy)
        if policy.rules or (owned.lasts and is_ours(policy.algorithm)):
            stores = RuleStores(policy, policy.rules, owned)
            joint = JointLimits(policy, stores.stores[0])
        self.tiers = tiers_of(policy, owned, joint, blocks=blocking)
        self.messages: Tier | None = None
        if policy.messages is not None and not blocking:
            each = make_limiter("messages", policy.messages, policy, "websocket", "messages", owned)
            self.messages = tier_of(
                "messages",
                "messages",
                each,
                policy,
                is_own=each is not policy.messages,
                sets=(),
                closed_status=policy.closed_status,
            )
            if self.messages.keys is not None:
                raise ValueError(
                    "messages: a gate must count by 'client' alone, as messages have no other keys"
                )
        self.permits = permits_of(policy.concurrency, policy, owned)
        if self.permits is not None:
            self._acquire = acquire_of(self.permits, blocking)
        counting: list[Any] = [
            tier.limiter for tier in (*self.tiers, self.messages) if tier is not None
        ]
        counting.append(self.permits)
        if stores is not None:
            counting += [gate for store in stores.stores for gate in store.gates]
        #: Whether one of the limiters is in Redis.
        self.needs_asyncio = any(getattr(each, "_NEEDS_ASYNCIO", False) for each in counting)
        #: Whether keys go to another server, or may do so, by a tier to come.
        self.hides_keys = policy.has_plans or any(map(is_elsewhere, counting))
        self.address = policy.client_address()
        self.rules: PolicyRules | None = None
        if stores is not None and policy.rules:
            self.rules = rules_at_work(policy, stores, self.address, owned, blocks=blocking)
        self.keys = verified_keys(policy.verify, policy.verify_ttl, owned, policy.clock)
        self._api_key_header = header_name(policy.api_key_header, "api_key_header").encode("ascii")
        #: Without options a request costs one check of the default tier, by its address.
        options = (policy.identify, policy.verify, policy.tier, policy.cost, policy.concurrency)
        exempt = exemption(policy.exempt)
        self.exempt_paths = exempt if isinstance(exempt, Paths) else None
        self.exempt = None if isinstance(exempt, Paths) else exempt
        self.cors = None if policy.cors is None else Cors(policy.cors)
        self.observer = observer_of(self.tiers, self.messages, policy)
        if self.rules is not None and self.observer is not None:
            self.rules.watch(self.observer.watch)
        refuse_unused(policy, self.observer is not None)
        more = (*options, self.exempt, self.observer, self.rules)
        is_plain = not policy.has_plans and all(each is None for each in more)
        self.is_plain = is_plain and self.default.is_plain
        #: Whether a request that no rule is for is not limited.
        self._only_by_rules = policy.has_only_rules and self.permits is None is self.messages
        if stores is not None:
            stores.keep(policy.rules)

    @property
    def default(self) -> Tier:
        """The tier of clients who have none, as it was last known."""
        return self.tiers.default

    def decide(
        self,
        verdict: Verdict,
        scope: Scope,
        view: Callable[[Scope], Any],
        permit: RequestPermit | None,
    ) -> Steps[bool]:
        """Charge whom the request is from, if ``concurrency`` has a permit for them.

        Returns ``False`` for a request that is not limited at all.
        """
        policy, seen = self.policy, view(scope)
        free = scope.get("method") == "OPTIONS" and policy.exempt_preflight and is_preflight(scope)
        if not free and self.exempt_paths is not None:
            free = self.exempt_paths.match(scope)
        elif not free and self.exempt is not None:
            free = yield self.exempt, (seen,)
        path = ""
        places: tuple[int, ...] = ()
        if self.rules is not None and not free:
            path = path_of(scope)
            places = self.rules.matching(scope, path)
            free = self._only_by_rules and not places
        if free:
            verdict.leave(self.default, "", 0)
            return False
        cost: Charged = 1
        if policy.cost is not None and self.rules is None:
            cost = checked_cost((yield policy.cost, (seen,)))
        if policy.identify is None and self.keys is None:
            client = self.default_client(scope)
        else:
            client = yield from self.find_client(scope, seen)
        verdict.client = client
        principal, name = client.principal, None
        if client.source == "unknown_api_key":
            cost = cost if self.default.charged(cost) else self.default.one  # a try is never free
        elif policy.tier is not None:
            name = checked_text("tier", (yield policy.tier, (seen,)))
        if name is None and principal is not None:
            name = principal.tier
        tier = self.tiers.get(name)
        if self.rules is None:
            keys = None if tier.keys is None else (yield from tier.keys.of(client.key, seen))
            yield from verdict.charge(tier, client.key, cost, permit, keys)
            return True
        if policy.tiers is not None:
            name = tier.name
        elif name is None:
            name = policy.default_tier
        selection = self.rules.selection(places, name, tier)
        if not selection.tiers and (selection.is_exempt or self._only_by_rules):
            verdict.leave(self.default, "", 0)
            return False
        subject, only = Subject(scope, seen, path, client, name), selection.only
        verdict.lingers = selection.lingers
        if only is None:
            yield from selection.charge(verdict, subject, permit)
        else:  # most often, and in less time
            cost, keys = only.cost_of(subject), only.keys_of(subject)
            yield from verdict.charge(only, client.key, cost, permit, keys)
        return True

    def find_client(self, scope: Scope, view: Any) -> Steps[Client]:
        """Find out who the request is from."""
        identify = self.policy.identify
        key = None if identify is None else checked_text("identify", (yield identify, (view,)))
        api_key = None if key is not None else self._api_key(scope)
        if api_key is not None:
            return (yield from self._verify(scope, api_key))
        if key is not None:
            return Client(key, "identify", principal_of(scope))
        return self.default_client(scope)

    def default_client(self, scope: Scope) -> Client:
        """Who has logged in, or else the address."""
        principal = principal_of(scope) if "user" in scope else None
        return (
            Client(self.address(scope), "address") if principal is None else user_client(principal)
        )

    def _verify(self, scope: Scope, api_key: str) -> Steps[Client]:
        assert self.keys is not None
        address = self.address(scope)
        # An address may try as many wrong keys as the default tier has requests.
        terms = self.default.terms
        tries = terms.limit, terms.window_seconds
        if self.policy.has_only_rules:
            tries = _TRIES
        find = self.keys.find_sync if self.blocking else self.keys.find
        principal = yield find, (api_key, address, *tries)
        if principal is None:
            return Client(address, "unknown_api_key")
        scope["sluicegate.principal"] = principal
        return api_client(principal, self.hides_keys)

    def _api_key(self, scope: Scope) -> str | None:
        if self.keys is None:
            return None
        for name, value in scope.get("headers", ()):
            if name == self._api_key_header:
                text: str = value.decode("latin-1")
                return text or None
        return None

    def new_permit(self) -> RequestPermit:
        """What ``concurrency`` may give a request, to be released when the app has returned."""
        return RequestPermit(self.permits, self._acquire, self.policy.closed_status)

    def for_threads(self) -> Enforcer:
        """The one that blocks, of the same policy and limiters; made when it is first wanted.

        Raises ``TypeError`` for an option that can only be awaited.
        """
        if self.blocking:
            return self
        if self._for_threads is None:
            with self._lock:
                if self._for_threads is None:
                    self._for_threads = Enforcer(self.policy, self.owned, blocking=True)
        return self._for_threads
