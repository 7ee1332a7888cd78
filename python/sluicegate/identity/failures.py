"""How many look-ups of an address have failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sluicegate.limiters import SlidingWindowRateLimiter

if TYPE_CHECKING:
    from sluicegate._core import ManualClock
    from sluicegate._support.fork import Lock

__all__ = ["Budget", "Failures", "budget_of"]

# What the exact log takes.
_MOST = 16_777_216
# Addresses with a failed look-up in the window; those beyond share one budget.
_ADDRESSES = 100_000
# One for each quota of a default tier that the keys are used with.
_MOST_BUDGETS = 64


class Budget(NamedTuple):
    """How many look-ups of an address may fail in a window."""

    address: str
    limit: int
    window: float


def budget_of(address: str, limit: int, window: float) -> Budget:
    """The budget of an address, by the quota of the default tier."""
    return Budget(address, min(max(limit, 1), _MOST), min(max(window, 1e-6), 1e9))


class Failures:
    """The look-ups that failed, by budget; the ``lock`` guards them."""

    __slots__ = ("_clock", "_limiters", "_lock")

    def __init__(self, clock: ManualClock | None, lock: Lock) -> None:
        self._clock = clock
        self._lock = lock
        self._limiters: dict[tuple[int, float], SlidingWindowRateLimiter] = {}

    def admit(self, budget: Budget, count: int) -> bool:
        """Whether so many more may fail."""
        return count <= budget.limit and bool(self._of(budget).peek(budget.address, count))

    def charge(self, budget: Budget) -> None:
        """One has failed."""
        self._of(budget).check(budget.address)

    def _of(self, budget: Budget) -> SlidingWindowRateLimiter:
        quota = budget.limit, budget.window
        failed = self._limiters.get(quota)
        if failed is None:
            with self._lock:
                made = SlidingWindowRateLimiter(*quota, max_keys=_ADDRESSES, clock=self._clock)
                failed = self._limiters.setdefault(quota, made)
                while len(self._limiters) > _MOST_BUDGETS:
                    del self._limiters[next(iter(self._limiters))]
        return failed
