"""A tier of several limits: a gate, how it is asked, and what clients are told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from sluicegate._core import Quota
from sluicegate.policy.gates.headers import GateHeaders, Names
from sluicegate.policy.steps import Charged, Cost
from sluicegate.policy.tiers.tier import Share, Tier
from sluicegate.policy.verbs import verb_of
from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate._core import CostError, Decision, GateQuotas
    from sluicegate.policy.gates.keys import GateKeys

__all__ = ["MOST_UNITS", "GateTier", "SeveralLimits", "strictest", "unit_of"]

MOST_UNITS = 2**32 - 1


class SeveralLimits(Tier):
    """Limits that decide together, and how they refuse."""

    __slots__ = ()
    #: What one of its limits is called in the fields.
    told_as: Callable[[str], str]

    def too_large(self, error: CostError, cost: Charged) -> Refusal:
        """The refusal of a cost that one of the limits can never admit."""
        units = self.units_of(error.name, cost)
        return self._refusal(error.name, error.limit, units, None, None)

    def refusal(self, decision: Any, cost: Charged, wait: int) -> Refusal:
        """Why a decision refuses."""
        units = self.units_of(decision.name, cost)
        refused_by = decision.refused_by
        return self._refusal(decision.name, decision.limit, units, wait, decision, refused_by)

    def _refusal(
        self,
        limit_name: str | None,
        limit: int,
        units: int,
        wait: int | None,
        decision: Decision | None,
        refused_by: Iterable[str] = (),
    ) -> Refusal:
        told_as = self.told_as
        return Refusal(
            self.name,
            limit,
            units,
            wait,
            decision,
            self.closed_status,
            limit_name=limit_name,
            told_as=None if limit_name is None else told_as(limit_name),
            violated=tuple(map(told_as, refused_by)),
        )


class GateTier(SeveralLimits):
    """A gate by name.

    Args:
        names: what its limits are called in the fields.
        quotas: those of the tier, each with the name of its limit.
        by: the same as its gate takes them, if they are not those that the gate declares.
        keys: which keys the gate gets; ``None``: whom the request is from.

    Attributes:
        quotas: as given.
    """

    __slots__ = ("_counted", "_units", "holds", "is_plain", "keys", "one", "quotas", "told_as")

    def __init__(
        self,
        name: str,
        gate: Any,
        sets: Iterable[str] | str,
        closed_status: int,
        *,
        names: Names,
        quotas: Mapping[str, Quota],
        by: GateQuotas | None = None,
        keys: GateKeys | None = None,
        shadow: bool = False,
        blocks: bool = False,
    ) -> None:
        self.quotas = quotas
        self._units = {limit: unit_of(quota) for limit, quota in quotas.items()}
        units = self._counted = set(self._units.values()) - {"concurrent"}
        #: What costs least and is charged.
        self.one: Cost = 1 if len(units) < 2 else dict.fromkeys(units, 1)
        self.keys = keys
        self.holds = "concurrent" in self._units.values()
        self.is_plain = keys is None and isinstance(self.one, int) and not self.holds
        headers = GateHeaders(names, sets)
        self.told_as = headers.told_as
        self._begin(name, gate, strictest(quotas.values()), headers, closed_status, blocks)
        if by is not None:
            self.check = partial(verb_of(gate, "_check_by", blocks), by)
        self.is_gate = True
        self.takes_receipts = True
        self.tells = bool(headers.sets) and not shadow

    def charged(self, cost: Charged) -> Charged:
        """What a request of this cost is charged: of a mapping the units that the tier counts."""
        if isinstance(cost, int):
            # A permit is held whatever a request costs.
            return cost or (dict.fromkeys(self._counted, 0) if self.holds else 0)
        assert isinstance(cost, Mapping)
        units = set(self._units.values())
        charged = {unit: cost[unit] for unit in cost if unit in units}
        return 0 if charged.keys() >= units and not any(charged.values()) else charged

    def excess(self, cost: Charged) -> Refusal | None:
        """The refusal of a cost that no limit can ever admit."""
        most = max(cost.values(), default=1) if isinstance(cost, Mapping) else cost
        assert isinstance(most, int)
        if most <= MOST_UNITS:
            return None  # the gate knows
        return Refusal(self.name, self.terms.limit, most, None, None)

    def units_of(self, limit_name: str | None, cost: Charged) -> int:
        """What a cost is in the unit of one of the limits."""
        if isinstance(cost, int):
            return cost
        assert isinstance(cost, Mapping)
        return cost.get(self._units.get(limit_name or "", ""), 1)


def unit_of(quota: Quota) -> str:
    """What a cost of it counts, as gates call it."""
    return "concurrent" if quota.concurrent is not None else quota.unit


def strictest(quotas: Iterable[Quota]) -> Share:
    """The one of them that admits least in the long run."""
    rates = [each for each in quotas if each.limit is not None and each.window_seconds is not None]
    if not rates:
        return Share(Quota("unlimited"), MOST_UNITS, 60.0)
    least = min(rates, key=_rate)
    limit, window = least.burst or least.limit, least.window_seconds
    assert limit is not None
    assert window is not None
    return Share(least, limit, window if least.burst is None else limit / _rate(least))


def _rate(quota: Quota) -> float:
    return (quota.limit or 0) / (quota.window_seconds or 1)
