"""What a request costs at each limit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sluicegate.policy.enforcing.subject import Subject
from sluicegate.policy.quotas import REQUESTS
from sluicegate.policy.steps import Cost

__all__ = ["PERMITS", "CostOf", "units_of"]

#: The unit of permits.
PERMITS = "concurrent"

#: A cost that is known, or the function that says it.
CostOf = Cost | Callable[[Any], Any]


def units_of(cost: CostOf, unit: str, is_only: bool, subject: Subject | None) -> int:
    """What a cost is in a unit, which ``is_only`` one that its rule or tier counts beside permits.

    A permit is one, whatever a request costs. Raises ``ValueError`` if nobody says how many units of
    something else than requests it is.
    """
    if callable(cost):
        assert subject is not None
        cost = subject.costs[id(cost)]
    if isinstance(cost, int):
        if unit == PERMITS:
            return 1
        if is_only or unit == REQUESTS:
            return cost
    elif unit in cost:
        return cost[unit]
    elif unit in (REQUESTS, PERMITS):
        return 1
    shown = dict(cost) if isinstance(cost, Mapping) else cost
    raise ValueError(
        f"cost must say how many {unit} the request takes, as {{{unit!r}: 100}}, got {shown}"
    )
