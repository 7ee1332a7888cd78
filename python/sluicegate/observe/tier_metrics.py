"""What is counted and measured of one tier."""

from __future__ import annotations

from bisect import bisect_right
from math import inf
from typing import TYPE_CHECKING

from sluicegate._support import fork
from sluicegate.observe.counts import Counts
from sluicegate.observe.labels import BoundedLabels
from sluicegate.observe.limiter_counts import LimiterCounts

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate.refusals import Refusal

__all__ = ["Histogram", "TierMetrics"]

# What a check in Redis takes, and below it what one in memory does.
_SECONDS = (2.5e-7, 1e-6, 1e-5, 1e-4, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, inf)
_RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, inf)
_MOST_NEW = 512
# Their decisions know nothing of the quota that is left.
_BLIND_STORES = ("open", "closed")


class Histogram:
    """Counts of values up to each bound, from any thread."""

    __slots__ = ("_bounds", "_counts", "_lock", "_new", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._lock = fork.new_lock()
        self._counts = [0] * len(bounds)
        self._sum = 0.0
        # Sorted in many at a time, which is cheaper than one by one.
        self._new: list[float] = []

    def observe(self, value: float) -> None:
        self._new.append(value)
        if len(self._new) >= _MOST_NEW:
            with self._lock:
                self._sort_in()

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """Prometheus' cumulative buckets, and the sum."""
        with self._lock:
            self._sort_in()
            names = ("+Inf" if bound == inf else str(bound) for bound in self._bounds)
            return list(zip(names, map(float, self._counts), strict=True)), self._sum

    def _sort_in(self) -> None:
        # Other threads only ever append.
        many = len(self._new)
        values = sorted(self._new[:many])
        del self._new[:many]
        self._sum += sum(values)
        for index, bound in enumerate(self._bounds):
            self._counts[index] += bisect_right(values, bound)


class TierMetrics:
    """Counts by endpoint and by store, times, and used shares of one tier."""

    __slots__ = ("counts", "limit_names", "results", "seconds", "stores", "used")

    def __init__(self, endpoints: BoundedLabels, limit_names: BoundedLabels) -> None:
        self.limit_names = limit_names
        results = ("allowed", "rejected", "unavailable", "too_large", "error")
        self.results = {result: Counts(endpoints.label) for result in results}
        stores = BoundedLabels("store")
        self.stores = {result: Counts(stores.label) for result in ("allowed", "rejected")}
        self.seconds = Histogram(_SECONDS)
        self.used = Histogram(_RATIOS)
        self.counts = LimiterCounts()

    def count(self, decision: Decision, endpoint: str) -> None:
        """Count a decision, and who made it."""
        store = decision.store
        result = "allowed" if decision else "unavailable" if store == "closed" else "rejected"
        self.results[result].add(endpoint)
        if store != "memory":
            self.stores["allowed" if decision else "rejected"].add(store)

    def count_refusal(self, refusal: Refusal, endpoint: str) -> None:
        """Count a refusal for which the limiter was not asked."""
        if refusal.unavailable:
            self.results["unavailable"].add(endpoint)
            self.stores["rejected"].add("closed")
        else:
            self.results["too_large" if refusal.retry_after is None else "rejected"].add(endpoint)

    def measure(self, decision: Decision) -> None:
        """Note which share of its quota a key had used."""
        if decision.store not in _BLIND_STORES:
            self.used.observe(1 - decision.remaining / decision.limit)

    def decided(self) -> dict[tuple[str, str], int]:
        """Decisions by store and result."""
        by_store: dict[tuple[str, str], int] = {}
        for result, counts in self.stores.items():
            elsewhere = counts.totals()
            # Read after, so that it is at least as large.
            names = ("rejected", "unavailable") if result == "rejected" else (result,)
            total = sum(sum(self.results[name].totals().values()) for name in names)
            here = total - sum(elsewhere.values())
            for store, number in {"memory": here, **elsewhere}.items():
                if number:
                    by_store[store, result] = number
        return by_store
