"""From the rules that apply to what is asked: a gate for each store, and what has to be called."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from sluicegate.policy.enforcing.applied import Applied
from sluicegate.policy.enforcing.rule_limits import cost_of, limits_of_rule, limits_of_tier
from sluicegate.policy.enforcing.selection import Selection
from sluicegate.policy.enforcing.stores import at_rule
from sluicegate.policy.gates.tier import GateTier
from sluicegate.policy.quotas import UNLIMITED
from sluicegate.policy.tiers.tier import Tier

if TYPE_CHECKING:
    from sluicegate.policy.enforcing.keys import KeySources
    from sluicegate.policy.enforcing.limit import AppliedLimit
    from sluicegate.policy.enforcing.stores import RuleStores
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.rules.applying import Chosen
    from sluicegate.policy.rules.rule import Rule

__all__ = ["Compiler"]

#: Limits in one decision of a gate.
_MOST_AT_ONCE: Final = 32


class Compiler:
    """Makes the selections of a policy.

    Raises ``ValueError`` or ``TypeError`` that names the rule's place for one that cannot be counted.
    """

    __slots__ = ("_blocks", "_limits", "_policy", "_rules", "_stores", "watch")

    def __init__(
        self,
        policy: PolicyOptions,
        rules: Sequence[Rule],
        stores: RuleStores,
        keys: KeySources,
        *,
        blocks: bool,
    ) -> None:
        self._policy = policy
        self._rules = rules
        self._stores = stores
        self._blocks = blocks
        self._limits: list[tuple[AppliedLimit, ...]] = []
        for place, rule in enumerate(rules):
            with at_rule(place):
                key = keys.key_of(place, rule.sources)
                limits = limits_of_rule(rule, stores.bys[place], key, policy)
                self._limits.append(tuple(limits))
        #: Is told of each gate that is asked; ``None``: nobody counts.
        self.watch: Callable[[Tier], None] | None = None

    def selection(self, applies: Chosen, tier: Tier) -> Selection:
        """What is asked of a request to which these rules apply, and this tier unless they end there."""
        stores, places = self._stores, applies.places
        by_store: dict[int, list[AppliedLimit]] = {0: []}
        for place in places:
            by_store.setdefault(stores.places[place], []).extend(self._limits[place])
        given: list[Tier] = []
        has_tier = applies.exempt is None and tier.limiter is not UNLIMITED
        is_joint = has_tier and tier.limiter is stores.stores[0].limiter
        if is_joint:
            assert isinstance(tier, GateTier)
            by_store[0] += limits_of_tier(tier, self._policy)
        elif has_tier:
            given.append(tier)
        asked: list[Tier] = []
        for store, limits in by_store.items():
            of_store = [self._rules[place] for place in places if stores.places[place] == store]
            on_error = stores.on_error(store, of_store, with_own=is_joint and store == 0)
            asked += self._asked(store, limits, on_error, tier.name)
        costs = [limit.cost for limits in by_store.values() for limit in limits]
        cost = cost_of(self._policy)
        if given:
            costs.append(cost)
        functions = [each for each in costs if callable(each)]
        return Selection(
            [*asked, *given],
            self._named(places),
            functions,
            cost,
            is_exempt=applies.exempt is not None,
            free=tier if tier.limiter is UNLIMITED else self._free(tier.name),
        )

    def _free(self, name: str) -> Tier:
        return Tier(name, UNLIMITED, (), self._policy.closed_status, blocks=self._blocks)

    def _asked(
        self, store: int, limits: Sequence[AppliedLimit], on_error: Any, name: str
    ) -> Iterator[Applied]:
        """The gate of a store, asked for some of its limits; once more where they are too many."""
        policy, counted = self._policy, self._stores.stores[store]
        order = {limit: place for place, limit in enumerate(counted)}
        ordered = sorted(limits, key=lambda limit: order[limit.name])
        for first in range(0, len(ordered), _MOST_AT_ONCE):
            some = ordered[first : first + _MOST_AT_ONCE]
            gate = counted.gate(on_error)
            applied = Applied(
                name,
                gate,
                counted.quotas(gate, {limit.name: limit.quota for limit in some}),
                some,
                policy.closed_status,
                shadow=policy.shadow,
                blocks=self._blocks,
            )
            if self.watch is not None:
                self.watch(applied)
            yield applied

    def _named(self, places: Iterable[int]) -> dict[str, Callable[[Any], Any]]:
        """The functions of ``keys`` that the rules count by."""
        functions = self._policy.keys or {}
        sources = [source for place in places for source in self._rules[place].sources]
        return {each.name: functions[each.name] for each in sources if each.kind == "key"}
