"""What is counted and measured of one tier."""

from __future__ import annotations

from bisect import bisect_right
from math import inf
from typing import TYPE_CHECKING

from sluicegate._core import Counts
from sluicegate._counting_lock import LOCK
from sluicegate._endpoints import Endpoints
from sluicegate._sources import Sources

if TYPE_CHECKING:
    from sluicegate._core import Decision

__all__ = ["Histogram", "Tally"]

# Article 2's, and below them what a check in memory takes.
_SECONDS = (2.5e-7, 1e-6, 1e-5, 1e-4, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, inf)
_RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0, inf)
_MOST_NEW = 512
# Their decisions know nothing of the quota that is left.
_BLIND_STORES = ("open", "closed")


class Histogram:
    """Counts of values up to each bound, from any thread."""

    __slots__ = ("_bounds", "_counts", "_new", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * len(bounds)
        self._sum = 0.0
        # Sorted in many at a time, which is cheaper than one by one.
        self._new: list[float] = []

    def observe(self, value: float) -> None:
        self._new.append(value)
        if len(self._new) >= _MOST_NEW:
            with LOCK:
                self._sort_in()

    def read(self) -> tuple[list[tuple[str, float]], float]:
        """Prometheus' cumulative buckets, and the sum."""
        with LOCK:
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


class Tally:
    """Counts by endpoint and by store, times, and used shares of one tier."""

    __slots__ = ("results", "seconds", "sources", "stores", "used")

    def __init__(self, endpoints: Endpoints) -> None:
        results = ("allowed", "rejected", "too_large", "error")
        self.results = {result: Counts(endpoints.label) for result in results}
        stores = Endpoints("store")
        self.stores = {result: Counts(stores.label) for result in results[:2]}
        self.seconds = Histogram(_SECONDS)
        self.used = Histogram(_RATIOS)
        self.sources = Sources()

    def count(self, decision: Decision, endpoint: str) -> None:
        """Count a decision, and who made it."""
        result = "allowed" if decision else "rejected"
        self.results[result].add(endpoint)
        if (store := decision.store) != "memory":
            self.stores[result].add(store)

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
            here = sum(self.results[result].totals().values()) - sum(elsewhere.values())
            for store, number in {"memory": here, **elsewhere}.items():
                if number:
                    by_store[store, result] = number
        return by_store
