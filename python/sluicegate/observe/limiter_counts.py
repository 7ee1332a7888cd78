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

    __slots__ = ("_families", "_limiters", "_lock", "_seen", "_totals")

    def __init__(self) -> None:
        self._lock = fork.new_lock()
        self._limiters: dict[int, weakref.ref[_Counting]] = {}
        self._families: dict[int, weakref.ref[object]] = {}
        self._seen: dict[int, Totals] = {}
        self._totals: Totals = Counter()

    def add(self, limiter: _Counting) -> None:
        """Count what it counts; where it goes on in another's place, from where that was."""
        family = getattr(limiter, "_family", limiter)
        name = id(family)
        limiters, families, seen = self._limiters, self._families, self._seen

        # Without the lock: these may run in any thread, whatever that holds.
        def gone(reference: object) -> None:
            if limiters.get(name) is reference:
                limiters.pop(name, None)

        def all_gone(_: object) -> None:
            families.pop(name, None)
            seen.pop(name, None)

        with self._lock:
            known = limiters.get(name)
            before = None if known is None else known()
            if before is limiter:
                return
            if before is not None:
                self._look(name, before)  # at limits that it alone has
            limiters[name] = weakref.ref(limiter, gone)
            if name not in families:
                families[name], seen[name] = weakref.ref(family, all_gone), Counter()

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
                held = self._look(name, limiter)
                if held is not None:
                    keys = held + (keys or 0)
            return keys, dict(self._totals)

    def _look(self, name: int, limiter: _Counting) -> int | None:
        """Add what was counted since the last look. Returns the keys that are held."""
        held, now = _counted(limiter.statistics())
        seen = self._seen.get(name, Counter())
        for counted, number in now.items():
            before = seen[counted]
            # A limit that began afresh has begun to count afresh.
            self._totals[counted] += number - before if number >= before else number
        self._seen[name] = now
        return held


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
