"""What limiters count by themselves, collected when somebody looks."""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Protocol

from sluicegate._support import fork

__all__ = ["LimiterCounts"]

_COUNTERS = ("overflowed", "errors", "timeouts")


class _Counting(Protocol):
    def statistics(self) -> object: ...


class LimiterCounts:
    """The limiters of one tier, held weakly; what they counted outlives them.

    (But for what they counted between the last look and their end.)
    """

    __slots__ = ("_limiters", "_lock", "_seen", "_totals")

    def __init__(self) -> None:
        self._lock = fork.new_lock()
        self._limiters: dict[int, weakref.ref[_Counting]] = {}
        self._seen: dict[int, Counter[str]] = {}
        self._totals: Counter[str] = Counter()

    def add(self, limiter: _Counting) -> None:
        name = id(limiter)
        limiters, seen = self._limiters, self._seen

        def gone(_: object) -> None:
            # Without the lock: this may run in any thread, whatever that holds.
            limiters.pop(name, None)
            seen.pop(name, None)

        with self._lock:
            if name not in self._limiters:
                self._limiters[name] = weakref.ref(limiter, gone)
                self._seen[name] = Counter()

    def read(self) -> tuple[int | None, dict[str, int]]:
        """Keys that live limiters hold (``None``: none of them knows), and all counts so far."""
        keys: int | None = None
        with self._lock:
            for name, reference in list(self._limiters.items()):
                limiter = reference()
                if limiter is None:
                    continue
                statistics = limiter.statistics()
                now = Counter({each: getattr(statistics, each, 0) for each in _COUNTERS})
                self._totals += now - self._seen[name]
                self._seen[name] = now
                held = getattr(statistics, "keys", None)
                if held is not None:
                    keys = held + (keys or 0)
            return keys, dict(self._totals)
