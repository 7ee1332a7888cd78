"""Waiting from a coroutine: one bell a waiter, one timer an event loop."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

from sluicegate._core import Bells, Decision
from sluicegate._support.waiting.timer import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluicegate._core import Listener

D = TypeVar("D", bound=Decision)

__all__ = ["Waiter", "wait_in_line"]


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
                    self._alarm.timer.set(self._loop, now, now + delay, self.number)
                await self._bell
            finally:
                self._bell = None
                self._alarm.timer.forget(self.number)
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
        # Of the waiters alone: a timer that knew this would keep it, and the bells, until they are collected.
        self._ring = partial(_ring, self._waiters)
        self.timer = Timer(self._ring)

    def add(self, waiter: Waiter) -> int:
        """The number of a new waiter."""
        self._last += 1
        self._waiters[self._last] = waiter
        return self._last

    def answer(self, _: Listener) -> None:
        """Ring those whose bells were rung."""
        for number in self.bells.rung():
            self._ring(number)
            self.bells.answered(number)


def _ring(waiters: WeakValueDictionary[int, Waiter], number: int) -> None:
    waiter = waiters.get(number)
    if waiter is not None:
        waiter.ring_here()


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
