"""The limits of one store that apply to a request: one gate, which is asked for these alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from sluicegate.policy.enforcing.costs import PERMITS, units_of
from sluicegate.policy.enforcing.headers import headers_of
from sluicegate.policy.gates.tier import MOST_UNITS, SeveralLimits, strictest
from sluicegate.policy.quotas import REQUESTS
from sluicegate.policy.steps import Charged
from sluicegate.policy.verbs import verb_of

if TYPE_CHECKING:
    from sluicegate._core import Decision, GateDecision, GateQuotas
    from sluicegate.policy.enforcing.limit import AppliedLimit
    from sluicegate.policy.enforcing.subject import Subject
    from sluicegate.refusals import Refusal

__all__ = ["Applied"]

#: Units by limit, in the order of the gate; or one of each.
Costs = int | tuple[int, ...]


class Applied(SeveralLimits):
    """Some limits of one gate.

    Args:
        name: of the tier, for metrics and hooks.
        by: the limits' quotas as the gate takes them.
        limits: in the order of the gate.
        shadow: whether all of them only watch.
        blocks: whether the gate is asked by threads.

    Attributes:
        settles: whether something may come back when the status is known.
        watches: the names of limits that only watch.
    """

    __slots__ = (
        "_answers",
        "_by",
        "_fixed",
        "_keys",
        "_limits",
        "_places",
        "delays",
        "holds",
        "settle",
        "settles",
        "told_as",
        "watches",
    )
    is_plain = False

    def __init__(
        self,
        name: str,
        gate: Any,
        by: GateQuotas,
        limits: Sequence[AppliedLimit],
        closed_status: int,
        *,
        shadow: bool,
        blocks: bool,
    ) -> None:
        self._limits = tuple(limits)
        self._by = by
        self._places = {limit.name: place for place, limit in enumerate(limits)}
        self._keys = {limit.by: limit.key for limit in limits}
        self._answers = {limit.name: limit.answer for limit in limits if limit.answer is not None}
        self._fixed: Costs | None = None
        if not any(callable(limit.cost) for limit in limits):
            self._fixed = self._costs(None)
        told = [(limit.name, limit.told_as, limit.quota) for limit in limits]
        headers = headers_of(lambda: told, {limit.name: limit.sets for limit in limits})
        self.told_as = headers.told_as
        terms = strictest(limit.quota for limit in limits)
        self._begin(name, gate, terms, headers, closed_status, blocks)
        self.check = partial(verb_of(gate, "_check_by", blocks), by)
        self.is_gate = True
        self.takes_receipts = True
        self.tells = bool(headers.sets) and not shadow
        self.holds = any(limit.unit == PERMITS for limit in limits)
        self.delays = not shadow and any(limit.hold and not limit.is_shadow for limit in limits)
        self.settles = any(limit.counts != "all" for limit in limits)
        self.settle: Callable[..., Any] | None = None
        if self.settles:
            self.settle = partial(verb_of(gate, "_settle_by", blocks), by)
        self.watches = tuple(limit.name for limit in limits if limit.is_shadow)

    def keys_of(self, subject: Subject) -> dict[str, str | None]:
        """The keys of a request, as the gate takes them."""
        return {by: key(subject) for by, key in self._keys.items()}

    def cost_of(self, subject: Subject) -> Charged:
        """What a request costs each of the limits."""
        if self._fixed is not None and not subject.is_a_try:
            return self._fixed
        return self._costs(subject)

    def _costs(self, subject: Subject | None) -> Costs:
        costs = tuple(
            units_of(limit.cost, limit.unit, limit.is_only_unit, subject) for limit in self._limits
        )
        if subject is not None and subject.is_a_try:
            costs = tuple(max(1, cost) for cost in costs)
        is_one = all(cost == 1 for cost in costs)
        return 1 if is_one and all(limit.unit in _ONE for limit in self._limits) else costs

    def reservation(self, keys: Any, cost: Charged) -> Any:
        """The limits of a request with permits, to be held."""
        return self.limiter._reserve_by(self._by, keys, cost)  # type: ignore[attr-defined]  # noqa: SLF001

    def charged(self, cost: Charged) -> Charged:
        """The same; 0 if it is nothing anywhere."""
        return cost if isinstance(cost, int) or any(cost) else 0

    def excess(self, cost: Charged) -> Refusal | None:
        """The refusal of a cost that no limit can ever admit."""
        if not isinstance(cost, tuple):
            return None
        for limit, units in zip(self._limits, cost, strict=True):
            if units > MOST_UNITS and not limit.is_shadow:
                return self._refusal(limit.name, limit.quota.limit or 0, units, None, None)
        return None

    def units_of(self, limit_name: str | None, cost: Charged) -> int:
        """What a cost is at one of the limits."""
        if isinstance(cost, int):
            return cost
        assert isinstance(cost, tuple)
        place = self._places.get(limit_name or "")
        return max(cost) if place is None else cost[place]

    def answer(self, limit_name: str | None) -> Any:
        """What answers a request that one of the limits refuses; ``None``: what the policy says."""
        return self._answers.get(limit_name or "")

    def delay(self, decision: GateDecision, cost: Charged) -> float:
        """Seconds that an admitted request is to be held."""
        said = decision.limits
        waits = [
            limit.hold.seconds(said[limit.name], self.units_of(limit.name, cost))
            for limit in self._limits
            if limit.hold is not None and not limit.is_shadow and limit.name in said
        ]
        return max(waits, default=0.0)

    def used(self, status: int, cost: Charged) -> tuple[int | None, ...] | None:
        """What stays spent of a request that was answered so, by limit; ``None``: all of it."""
        used = tuple(limit.used(status, self.units_of(limit.name, cost)) for limit in self._limits)
        return None if all(each is None for each in used) else used

    def would_refuse(self, decision: GateDecision) -> Iterator[tuple[str, Decision]]:
        """The limits that only watch and would have refused."""
        said: Mapping[str, Decision] = decision.limits if self.watches else {}
        for name in self.watches:
            if name in said and not said[name].allowed:
                yield name, said[name]


_ONE = (REQUESTS, PERMITS)
