"""Tiers of several windows: one gate has a limit for each window, whose amount is the tier's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sluicegate._core import Quota
from sluicegate.policy.gates.making import (
    CLIENT,
    by_limit,
    check_units,
    limit_name,
    limit_of,
)
from sluicegate.policy.gates.store_limits import StoreLimits, by_the_caller, is_of_tier
from sluicegate.policy.gates.tier import GateTier

if TYPE_CHECKING:
    from sluicegate._core import GateQuotas
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.stores.options import LimiterOptions

__all__ = ["Beside", "JointLimits"]

#: The quotas of other tiers that are counted as one of this window is.
Beside = Callable[[Quota], Iterable[Quota]]


class JointLimits:
    """The limits of all tiers, in one gate, with a place for each window.

    So a client who comes under another tier keeps what it has spent of each window, and a window
    that its tier lacks does not apply.

    Args:
        options: where they are counted, and how.
        counted: what has the gate; others of its limits need not be a tier's.
    """

    __slots__ = ("__weakref__", "_options", "counted")

    def __init__(self, options: LimiterOptions, counted: StoreLimits) -> None:
        self._options = options
        self.counted = counted

    def __len__(self) -> int:
        return sum(map(is_of_tier, self.counted))

    @property
    def limiter(self) -> Any:
        """The gate; ``None`` before the first tier."""
        return self.counted.limiter

    def lacks(self, quotas: Iterable[Quota]) -> int:
        """How many limits there are not yet of those that count these quotas."""
        return sum(limit_name(quota, self._options) not in self.counted for quota in quotas)

    def tier(
        self,
        place: str,
        name: str,
        quotas: Iterable[Quota],
        policy: PolicyOptions,
        beside: Beside,
        *,
        blocks: bool = False,
    ) -> GateTier:
        """The tier of these quotas, which errors name by its ``place``.

        Those ``beside`` a quota have a say in how its window is counted, if that is new here.
        """
        named = by_limit(place, quotas, self._options)
        by = self._counted(place, named, beside)
        ending = len(CLIENT)
        told = [(limit, name + limit[ending:], quota) for limit, quota in named.items()]
        tier = GateTier(
            name,
            self.limiter,
            policy.headers,
            policy.closed_status,
            names=lambda: told,
            quotas=named,
            by=by,
            shadow=policy.shadow,
            blocks=blocks,
        )
        check_units(place, tier, policy)
        return tier

    def _counted(self, place: str, named: dict[str, Quota], beside: Beside) -> GateQuotas:
        """The quotas as the gate takes them, which has a limit for each then."""
        counted = self.counted
        counted.add(
            {
                limit: limit_of(place, quota, self._options, beside(quota), by_the_caller)
                for limit, quota in named.items()
                if limit not in counted
            }
        )
        try:
            return counted.quotas(counted.limiter, named)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place}: {error}") from error
