"""What limiters count by themselves, collected when somebody looks."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

from sluicegate._support import fork

__all__ = ["LimiterCounts"]

_COUNTERS = ("overflowed", "errors", "timeouts")
#: What limits of gates count as well.
_OF_LIMITS = ("admitted", "refused", "would_have_refused")

#: By the limit's name, which is empty for what is counted of all together.
Totals = Counter[tuple[str, str]]


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
        self._seen: dict[int, Totals] = {}
        self._totals: Totals = Counter()

    def add(self, limiter: _Counting, after: _Counting | None = None) -> None:
        """Count what a limiter does.

        ``after`` is the one whose place it takes: what that had counted it goes on from.
        """
        if after is not None:
            self._end(after)
        begun: Totals = Counter() if after is None else _counted(limiter.statistics())[1]
        name = id(limiter)
        limiters, seen = self._limiters, self._seen

        def gone(_: object) -> None:
            # Without the lock: this may run in any thread, whatever that holds.
            limiters.pop(name, None)
            seen.pop(name, None)

        with self._lock:
            if name not in self._limiters:
                self._limiters[name] = weakref.ref(limiter, gone)
                self._seen[name] = begun

    def _end(self, limiter: _Counting) -> None:
        """Count what it has done until now, and no more."""
        name = id(limiter)
        with self._lock:
            if self._limiters.pop(name, None) is not None:
                self._totals += _counted(limiter.statistics())[1] - self._seen.pop(name, Counter())

    def read(self) -> tuple[int | None, dict[tuple[str, str], int]]:
        """Keys that live limiters hold (``None``: none of them knows), and all counts so far.

        Those are by the name of a gate's limit, or the empty name, and what is counted.
        """
        keys: int | None = None
        with self._lock:
            for name, reference in list(self._limiters.items()):
                limiter = reference()
                if limiter is None:
                    continue
                held, now = _counted(limiter.statistics())
                self._totals += now - self._seen[name]
                self._seen[name] = now
                if held is not None:
                    keys = held + (keys or 0)
            return keys, dict(self._totals)


def _counted(statistics: object) -> tuple[int | None, Totals]:
    """The keys that are held, and the counts, of a limiter's statistics or a gate's."""
    limits: Mapping[str, object] | None = getattr(statistics, "limits", None)
    keys: int | None = None
    counts: Totals = Counter()
    for name, each in ({"": statistics} if limits is None else limits).items():
        held = getattr(each, "keys", None)
        if held is not None:
            keys = held + (keys or 0)
        for counted in _COUNTERS:
            counts["", counted] += getattr(each, counted, 0)
        if name:
            for counted in _OF_LIMITS:
                counts[name, counted] = getattr(each, counted, 0)
    return keys, counts
