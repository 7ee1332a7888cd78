"""Tiers of several windows: one gate has a limit for each window, whose amount is the tier's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sluicegate._core import Quota
from sluicegate._support import fork
from sluicegate.policy.gates.making import (
    CLIENT,
    by_limit,
    check_units,
    limit_name,
    limit_of,
    new_gate,
)
from sluicegate.policy.gates.tier import GateTier

if TYPE_CHECKING:
    from sluicegate._core import GateQuotas
    from sluicegate.gate import Limit
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.stores.options import LimiterOptions

__all__ = ["Beside", "JointLimits"]

#: The quotas of other tiers that are counted as one of this window is.
Beside = Callable[[Quota], Iterable[Quota]]


class JointLimits:
    """The limits of all tiers, in one gate: more may come, and those that are there stay.

    So a client who comes under another tier keeps what it has spent of each window, and a window
    that its tier lacks does not apply.

    Attributes:
        limiter: the gate; ``None`` before the first tier.
    """

    __slots__ = ("__weakref__", "_limits", "_lock", "_names", "_options", "limiter")

    def __init__(self, options: LimiterOptions, *names: str) -> None:
        self._options = options
        self._names = names
        self._lock = fork.new_lock()
        self._limits: dict[str, Limit] = {}
        self.limiter: Any = None

    def __len__(self) -> int:
        return len(self._limits)

    def lacks(self, quotas: Iterable[Quota]) -> int:
        """How many limits there are not yet of those that count these quotas."""
        return sum(limit_name(quota, self._options) not in self._limits for quota in quotas)

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
        with self._lock:
            new = {
                limit: limit_of(place, quota, self._options, beside(quota), _by_the_tier)
                for limit, quota in named.items()
                if limit not in self._limits
            }
            limits = {**self._limits, **new}
            # What is there keeps its place, so that earlier tiers' quotas stay right.
            if self.limiter is None:
                self.limiter = new_gate(limits.values(), self._options, *self._names)
            elif new:
                self.limiter.set_limits(limits.values())
            self._limits = limits
            try:
                by: GateQuotas = self.limiter._quotas([named.get(limit) for limit in limits])  # noqa: SLF001
            except (TypeError, ValueError) as error:
                raise type(error)(f"{place}: {error}") from error
        return by


def _by_the_tier(_: str) -> None:
    """Each call names the quotas of its tier: nobody asks for another."""
