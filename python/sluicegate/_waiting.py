"""Waiting in a limiter's queue from a coroutine: one timer an event loop, not one a waiter."""

from __future__ import annotations

import asyncio
from collections import deque
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary, ref

from sluicegate._core import Decision

if TYPE_CHECKING:
    from sluicegate._core import Limiter

# Fewer forgotten entries than this are not worth rebuilding the heap for.
_FEW = 64


async def wait_in_line(limiter: Limiter, key: str, cost: int, timeout: float | None) -> Decision:
    """Wait until ``limiter`` admits ``cost``, or refuses because ``timeout`` is too short."""
    turn = _Turn(asyncio.get_running_loop())
    place = limiter._enqueue(key, cost, timeout, turn)
    if isinstance(place, Decision):
        return place
    try:
        while True:
            await turn.come(place.delay)
            # Spent here, not by whoever rings: a caller that is cancelled in between spends nothing.
            decision = place.poll()
            if decision is not None:
                return decision
    finally:
        place.leave()


class _Turn:
    """One waiter's bell: it rings when its place should be polled."""

    __slots__ = ("__weakref__", "_bell", "_loop", "_rung")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._rung = False
        self._bell: asyncio.Future[None] | None = None

    def ring(self) -> bool:
        """Ring, from any thread. False: the loop is closed, and nobody waits any more."""
        return _alarm(self._loop).ring(self._loop, self)

    def ring_here(self) -> None:
        """Ring, in the loop's own thread."""
        self._rung = True
        if self._bell is not None and not self._bell.done():
            self._bell.set_result(None)

    async def come(self, delay: float | None) -> None:
        """Return when it rings, at the latest after ``delay`` seconds."""
        if not self._rung:
            self._bell = self._loop.create_future()
            alarm = None if delay is None else _alarm(self._loop)
            if alarm is not None and delay is not None:
                alarm.set(self._loop, self._loop.time() + delay, self)
            try:
                await self._bell
            finally:
                self._bell = None
                if alarm is not None:
                    alarm.forget()
        self._rung = False

    @property
    def waits(self) -> bool:
        return self._bell is not None and not self._bell.done()


class _Alarm:
    """Rings the turns of one event loop, with a single timer for the earliest.

    Turns that other threads ring together cost the loop a single wake-up.
    """

    def __init__(self) -> None:
        # Weak, since a loop that was closed in the middle of a wait must go with its turns.
        self._turns: list[tuple[float, int, ref[_Turn]]] = []
        self._rung: deque[ref[_Turn]] = deque()
        self._called = False
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = 0

    def set(self, loop: asyncio.AbstractEventLoop, when: float, turn: _Turn) -> None:
        self._waiting += 1
        heappush(self._turns, (when, next(self._order), ref(turn)))
        if self._timer is None or when < self._timer.when():
            self._arm(loop)

    def forget(self) -> None:
        """One turn no longer waits."""
        self._waiting -= 1
        if self._waiting == 0:
            self._turns.clear()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None  # it would keep the loop alive
        elif len(self._turns) > 2 * self._waiting + _FEW:
            self._turns = [entry for entry in self._turns if _waits(entry[2]())]
            heapify(self._turns)

    def ring(self, loop: asyncio.AbstractEventLoop, turn: _Turn) -> bool:
        """Have the loop ring a turn, from any thread. False: it is closed."""
        if loop.is_closed():
            return False
        self._rung.append(ref(turn))
        if not self._called:
            self._called = True
            try:
                loop.call_soon_threadsafe(self._ring_all)
            except RuntimeError:
                return False
        return True

    def _ring_all(self) -> None:
        self._called = False  # before the first is taken: who comes now calls again
        while self._rung:
            turn = self._rung.popleft()()
            if turn is not None:
                turn.ring_here()

    def _arm(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self._turns[0][0], self._go_off, loop)

    def _go_off(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time()
        while self._turns and (self._turns[0][0] <= now or not _waits(self._turns[0][2]())):
            turn = heappop(self._turns)[2]()
            if turn is not None:
                turn.ring_here()
        if self._turns:
            self._arm(loop)


def _waits(turn: _Turn | None) -> bool:
    return turn is not None and turn.waits


_alarms: WeakKeyDictionary[asyncio.AbstractEventLoop, _Alarm] = WeakKeyDictionary()


def _alarm(loop: asyncio.AbstractEventLoop) -> _Alarm:
    alarm = _alarms.get(loop)
    if alarm is None:
        alarm = _alarms[loop] = _Alarm()
    return alarm
