"""Those who wait for one key in Redis, in order: of one event loop, or threads without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from random import uniform
from typing import TypeVar
from weakref import ref

from sluicegate._connection.refused import refused
from sluicegate._core import Decision
from sluicegate._support.per_loop import PerLoop

__all__ = ["PermitQueue", "WaitQueue", "WaitQueues", "Waiter"]

T = TypeVar("T")

# Between two questions to the server, in seconds; it doubles.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1
# A waiter whose wake-up was lost looks for itself after so many seconds.
_LOOKS_AFTER = 1.0
# Fewer deadlines of those who have left than this are not worth looking for.
_FEW = 16


class Waiter:
    """One who sleeps until woken.

    ``is_over`` is set by who leaves, before anything is called: near the recursion limit, or
    when a signal handler raises, no call may come to its end.
    """

    __slots__ = (
        "__weakref__",
        "_sleep",
        "asks_at",
        "deadline",
        "is_over",
        "is_woken",
        "number",
    )

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.is_over = self.is_woken = False
        #: When it gives up, and when it asks next, by its own clock.
        self.deadline, self.asks_at = inf, -inf
        self._sleep: asyncio.Future[None] | None = None

    def wake(self) -> None:
        self.is_woken = True
        sleep = self._sleep
        if sleep is not None and not (loop := sleep.get_loop()).is_closed():
            # Not set here: near the recursion limit that may leave it set, and nobody woken.
            loop.call_soon(_set, sleep)

    async def sleep(self, seconds: float) -> None:
        """Until ``seconds`` have passed, or it is woken; not at all if it has been."""
        if self.is_woken:
            return
        loop = asyncio.get_running_loop()
        self._sleep = loop.create_future()
        timer = None if seconds == inf else loop.call_later(seconds, _set, self._sleep)
        try:
            await self._sleep
        finally:
            self._sleep = None
            if timer is not None:
                timer.cancel()


class WaitQueue:
    """The first asks the server again and again; the others wait to be first.

    Deadlines are by the clock of who waits: the loop's.
    """

    __slots__ = ("_deadlines", "_numbers", "_waiters", "free_at")
    make_waiter: Callable[[int], Waiter] = Waiter
    pause: Callable[[float], Awaitable[None]] = staticmethod(asyncio.sleep)

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    def __init__(self) -> None:
        # Weak, as a coroutine that is closed near the recursion limit runs no `finally`.
        self._waiters: dict[int, ref[Waiter]] = {}
        # Those of the waiters, and of some who have left: the soonest first.
        self._deadlines: list[tuple[float, int]] = []
        self._numbers = count()
        #: When the first may be admitted, as the server told it: nobody is before that.
        self.free_at = -inf

    def __len__(self) -> int:
        return 0 if self._first() is None else len(self._waiters)

    def join(self, deadline: float = inf) -> Waiter:
        waiter = self.make_waiter(next(self._numbers))
        if self._first() is None or deadline < self.free_at:
            waiter.is_woken = True
        elif deadline < inf:
            heappush(self._deadlines, (deadline, waiter.number))
        self._waiters[waiter.number] = ref(waiter)
        return waiter

    async def come_first(self, waiter: Waiter, seconds: float) -> bool:
        """Whether that took no longer than ``seconds``, and was not known to take longer."""
        until = self.now() + seconds
        while self._first() is not waiter and not waiter.is_woken and self.now() < until:
            await waiter.sleep(min(until - self.now(), _LOOKS_AFTER))
        return self._first() is waiter

    async def decided(
        self,
        waiter: Waiter,
        check: Callable[[], Awaitable[Decision]],
        peek: Callable[[], Awaitable[Decision]],
        deadline: float,
    ) -> Decision:
        """What ``check`` says when it admits, or tells of a wait beyond the deadline."""
        if not await self.come_first(waiter, deadline - self.now()):
            return refused(await peek(), self.free_at - self.now())
        while True:
            decision = await check()
            free_at = self.now() + decision.retry_after
            if decision or free_at > deadline:
                return decision
            self.tell(free_at)
            await self.pause(decision.retry_after)

    def tell(self, free_at: float) -> None:
        """The first knows when it may be admitted: who cannot wait so long need not wait."""
        self.free_at = free_at
        while self._deadlines and self._deadlines[0][0] < free_at:
            _, number = heappop(self._deadlines)
            known = self._waiters.get(number)
            waiter = None if known is None else known()
            if waiter is not None:
                waiter.wake()

    def leave(self, waiter: Waiter) -> None:
        waiter.is_over = True
        was_first = next(iter(self._waiters), None) == waiter.number
        self._waiters.pop(waiter.number, None)
        if len(self._deadlines) > 2 * len(self._waiters) + _FEW:
            self._deadlines = [entry for entry in self._deadlines if entry[1] in self._waiters]
            heapify(self._deadlines)
        if was_first:
            self.free_at = -inf  # the next may want less
            first = self._first()
            if first is not None:
                first.wake()

    def _first(self) -> Waiter | None:
        """Without those whose leaving was interrupted."""
        while self._waiters:
            number, known = next(iter(self._waiters.items()))
            first = known()
            if first is not None and not first.is_over:
                return first
            self._waiters.pop(number, None)
            self.free_at = -inf
        return None


class PermitQueue(WaitQueue):
    """A queue whose first can be told to ask at once."""

    __slots__ = ("_asker", "told")

    def __init__(self) -> None:
        super().__init__()
        self._asker = self.make_waiter(0)
        #: Seconds until a permit may be free, as the first was told last.
        self.told = 1.0

    async def served(
        self, attempt: Callable[[], Awaitable[T | float]], seconds: float
    ) -> T | float:
        """What ``attempt`` gives to the first in the queue, in ``seconds`` at most.

        It is asked again and again until that is no float: seconds until it may be.
        """
        waiter = self.join()
        try:
            return await self.first_served(waiter, attempt, seconds)
        finally:
            waiter.is_over = True
            self.leave(waiter)

    async def first_served(
        self, waiter: Waiter, attempt: Callable[[], Awaitable[T | float]], seconds: float
    ) -> T | float:
        """:meth:`served` for one who has joined."""
        deadline, pause = self.now() + seconds, _SHORTEST_PAUSE
        if not await self.come_first(waiter, seconds):
            return self.told
        while True:
            # What earlier wake-ups told of is seen by asking now.
            self._asker.is_woken = False
            got = await attempt()
            if not isinstance(got, float):
                return got
            self.told = got
            left = deadline - self.now()
            if left <= 0:
                return got
            await self._asker.sleep(min(got, left, pause * uniform(0.75, 1.25)))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def wake(self) -> None:
        """A permit was released: the first shall ask at once."""
        self._asker.wake()


class WaitQueues:
    """The queues of a limiter, by event loop and key."""

    __slots__ = ("_by_loop",)

    def __init__(self) -> None:
        self._by_loop: PerLoop[dict[str, WaitQueue]] = PerLoop()

    def __len__(self) -> int:
        """How many queues there are."""
        return sum(map(len, self._by_loop.all()))

    def here(self, loop: asyncio.AbstractEventLoop) -> dict[str, WaitQueue]:
        """Those of a running loop."""
        return self._by_loop.here(loop, dict)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
