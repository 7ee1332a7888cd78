"""Waiting from a coroutine: one bell a waiter, one timer an event loop."""

from __future__ import annotations

import asyncio
from heapq import heapify, heappop, heappush
from math import inf
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

from sluicegate._core import Bells, Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluicegate._core import Listener

D = TypeVar("D", bound=Decision)

__all__ = ["Waiter", "wait_in_line"]

# A timer that is so late, in seconds, may never go off: a signal came just before it.
_LOST = 0.1
# Fewer forgotten entries than this are not worth rebuilding the heap for.
_FEW = 64


class Ticket(Protocol):
    """The place of one who waits."""

    @property
    def delay(self) -> float | None:
        """Seconds after which to poll again; ``None``: when the bell rings."""
        ...

    def poll(self) -> Any:
        """The decision, when it is made."""
        ...

    def leave(self) -> None:
        """Wait no longer."""
        ...


async def wait_in_line(enqueue: Callable[[Bells, int], Ticket | D]) -> D:
    """Wait until a limiter has decided, whose queue ``enqueue`` joins, with a bell to be rung by."""
    waiter = Waiter(asyncio.get_running_loop())
    ticket = enqueue(waiter.bells, waiter.number)
    if isinstance(ticket, Decision):
        return ticket
    try:
        while True:
            await waiter.come(ticket.delay)
            # Spent here, not by whoever rings: a caller that is cancelled in between spends nothing.
            decision: D | None = ticket.poll()
            if decision is not None:
                return decision
    finally:
        ticket.leave()


class Waiter:
    """One waiter: its bell rings, in any thread, when it should look again."""

    __slots__ = ("__weakref__", "_alarm", "_bell", "_loop", "_rung", "number")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rung = False
        self._bell: asyncio.Future[None] | None = None
        self._alarm = _alarm(loop)
        self.number = self._alarm.add(self)

    @property
    def bells(self) -> Bells:
        """Where the bell of this number is."""
        return self._alarm.bells

    def ring_here(self) -> None:
        """Ring, in the loop's own thread."""
        self._rung = True
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def come(self, delay: float | None) -> None:
        """Return when it rings, at the latest after ``delay`` seconds."""
        if not self._rung:
            self._bell = self._loop.create_future()
            try:
                if delay is not None:
                    now = self._loop.time()
                    self._alarm.set(self._loop, now, now + delay, self.number)
                await self._bell
            finally:
                self._bell = None
                self._alarm.forget(self.number)
        self._rung = False


class _Alarm:
    """The bells of one event loop, and a single timer for those who wait until a time.

    Whatever raises in the middle of it, a signal handler for example, a waiter is only taken
    for rung after it was. The loop itself keeps it, so that both can be collected together.
    """

    def __init__(self) -> None:
        self.bells = Bells()
        # Weak, since a loop that was closed in the middle of a wait must go with its waiters.
        self._waiters: WeakValueDictionary[int, Waiter] = WeakValueDictionary()
        self._last = 0
        # Those who wait until a time; entries of others are left in the heap for a while.
        self._timed: set[int] = set()
        self._due: list[tuple[float, int]] = []
        self._timer: asyncio.Handle | None = None
        # Not asked of the timer: uvloop's does not always know.
        self._goes_off_at = inf

    def add(self, waiter: Waiter) -> int:
        """The number of a new waiter."""
        self._last += 1
        self._waiters[self._last] = waiter
        return self._last

    def set(self, loop: asyncio.AbstractEventLoop, now: float, when: float, number: int) -> None:
        """Ring a waiter at a time of the loop."""
        self._timed.add(number)
        heappush(self._due, (when, number))
        if self._timer is None or when < self._goes_off_at or now > self._goes_off_at + _LOST:
            self._arm(loop, now)

    def forget(self, number: int) -> None:
        """One waiter no longer waits until a time."""
        self._timed.discard(number)
        if not self._timed:
            self._due.clear()
            timer, self._timer = self._timer, None
            if timer is not None:
                timer.cancel()
        elif len(self._due) > 2 * len(self._timed) + _FEW:
            self._due = [entry for entry in self._due if entry[1] in self._timed]
            heapify(self._due)

    def answer(self, _: Listener) -> None:
        """Ring those whose bells were rung."""
        for number in self.bells.rung():
            self._ring(number)
            self.bells.answered(number)

    def _ring(self, number: int) -> None:
        waiter = self._waiters.get(number)
        if waiter is not None:
            waiter.ring_here()

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


_alarms: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[_Alarm]] = WeakKeyDictionary()


def _alarm(loop: asyncio.AbstractEventLoop) -> _Alarm:
    known = _alarms.get(loop)
    alarm = None if known is None else known()
    # In a forked child the bells of its parent's loops are closed.
    if alarm is None or not alarm.bells.open:
        alarm = _Alarm()
        loop.add_reader(alarm.bells.fileno(), alarm.answer, alarm.bells.listener())
        _alarms[loop] = ref(alarm)
    return alarm
