"""A single timer of an event loop for all who wait until a time."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

__all__ = ["Timer"]

# A timer that is so late, in seconds, may never go off: a signal came just before it.
_LOST = 0.1
# Fewer forgotten entries than this are not worth rebuilding the heap for.
_FEW = 64


class Timer:
    """Calls ``ring`` with the number of each whose time has come, in the thread of its loop.

    Whatever raises in the middle of it, a signal handler for example, one is only taken for rung
    after it was.
    """

    def __init__(self, ring: Callable[[int], None]) -> None:
        self._ring = ring
        # Those who wait until a time; entries of others are left in the heap for a while.
        self._timed: set[int] = set()
        self._due: list[tuple[float, int]] = []
        self._timer: asyncio.Handle | None = None
        # Not asked of the timer: uvloop's does not always know.
        self._goes_off_at = inf

    def set(self, loop: asyncio.AbstractEventLoop, now: float, when: float, number: int) -> None:
        """Ring one at a time of the loop."""
        self._timed.add(number)
        heappush(self._due, (when, number))
        if self._timer is None or when < self._goes_off_at or now > self._goes_off_at + _LOST:
            self._arm(loop, now)

    def forget(self, number: int) -> None:
        """One no longer waits until a time."""
        self._timed.discard(number)
        if not self._timed:
            self._due.clear()
            timer, self._timer = self._timer, None
            if timer is not None:
                timer.cancel()
        elif len(self._due) > 2 * len(self._timed) + _FEW:
            self._due = [entry for entry in self._due if entry[1] in self._timed]
            heapify(self._due)

    def _arm(self, loop: asyncio.AbstractEventLoop, now: float) -> None:
        when = max(now, self._due[0][0])
        timer = loop.call_at(when, self._go_off, loop)
        before, self._timer, self._goes_off_at = self._timer, timer, when
        if before is not None:
            before.cancel()

    def _go_off(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        try:
            while self._due and (self._due[0][0] <= now or self._due[0][1] not in self._timed):
                entry = self._due[0]
                self._ring(entry[1])
                if self._due and self._due[0] is entry:
                    heappop(self._due)
        finally:
            self._timer = None
            if self._due:
                self._arm(loop, now)
