"""The limits of rules and tiers, as requests are counted by them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from sluicegate.headers import HEADER_SETS, header_sets
from sluicegate.policy.enforcing.costs import PERMITS, CostOf, units_of
from sluicegate.policy.enforcing.keys import KeyOf, client_of
from sluicegate.policy.enforcing.limit import AppliedLimit, Hold
from sluicegate.policy.gates.making import CLIENT
from sluicegate.policy.gates.tier import unit_of

if TYPE_CHECKING:
    from sluicegate._core import Quota
    from sluicegate.policy.gates.tier import GateTier
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.rules.rule import Rule

__all__ = ["cost_of", "limits_of_rule", "limits_of_tier"]


def cost_of(policy: PolicyOptions) -> Any:
    """What a request costs where no rule says otherwise: 1, or what the policy's function says."""
    return 1 if policy.cost is None else policy.cost


def limits_of_rule(
    rule: Rule, by: str, key: KeyOf, policy: PolicyOptions
) -> Iterator[AppliedLimit]:
    """A rule's limits; ``by`` is what its gate calls the ``key``.

    Raises ``ValueError`` where it says what requests cost, but not in each of its units.
    """
    cost: CostOf = cost_of(policy) if rule.cost is None else rule.cost
    is_only_unit = _has_one_unit(rule.quotas)
    for name, quota in zip(rule.limit_names, rule.quotas, strict=True):
        limit = AppliedLimit(
            name,
            name,
            quota,
            by,
            key,
            cost,
            unit_of(quota),
            is_only_unit,
            _sets(policy.headers if rule.headers is None else rule.headers),
            is_shadow=rule.shadow,
            counts="all" if unit_of(quota) == PERMITS else rule.counts,
            hold=None if rule.delay is None else _hold(quota, rule.undelayed),
            answer=rule.refusal,
        )
        if not callable(cost):
            units_of(cost, limit.unit, is_only_unit, None)
        yield limit


def limits_of_tier(tier: GateTier, policy: PolicyOptions) -> Iterator[AppliedLimit]:
    """The limits of a tier whose quotas are counted beside the rules."""
    sets = _sets(policy.headers)
    is_only_unit = _has_one_unit(tier.quotas.values())
    for name, quota in tier.quotas.items():
        yield AppliedLimit(
            name,
            tier.told_as(name),
            quota,
            CLIENT,
            client_of,
            cost_of(policy),
            unit_of(quota),
            is_only_unit,
            sets,
        )


def _sets(given: Iterable[str] | str) -> tuple[str, ...]:
    """The sets in one order, so that equal ones are told together."""
    named = header_sets(given)
    return tuple(each for each in HEADER_SETS if each in named)


def _has_one_unit(quotas: Iterable[Quota]) -> bool:
    return len({quota.unit for quota in quotas if quota.concurrent is None}) < 2


def _hold(quota: Quota, undelayed: int) -> Hold:
    assert quota.limit is not None
    assert quota.window_seconds is not None
    return Hold(quota.window_seconds / quota.limit, undelayed)
