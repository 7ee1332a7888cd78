"""Those who wait for a permit of one key in a zone, in order: of one event loop, or threads without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeVar
from weakref import ref

from sluicegate._connection.seconds import pauses
from sluicegate._connection.waiter import LoopWaiter, Waiter

__all__ = ["PermitQueue"]

T = TypeVar("T")

# A waiter whose wake-up was lost looks for itself after so many seconds.
_LOOKS_AFTER = 1.0


class PermitQueue:
    """The first asks again and again, and can be told to at once; the others wait to be first.

    Deadlines are by the clock of who waits: the loop's.
    """

    __slots__ = ("_asker", "_numbers", "_waiters", "told")
    make_waiter: Callable[[int], Waiter] = LoopWaiter

    def __init__(self) -> None:
        # Weak, as a coroutine that is closed near the recursion limit runs no `finally`.
        self._waiters: dict[int, ref[Waiter]] = {}
        self._numbers = count(1)
        self._asker = type(self).make_waiter(0)
        #: Seconds until a permit may be free, as the first was told last.
        self.told = 1.0

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    def __len__(self) -> int:
        return 0 if self._first() is None else len(self._waiters)

    def join(self) -> Waiter:
        waiter = type(self).make_waiter(next(self._numbers))
        self._waiters[waiter.number] = ref(waiter)
        return waiter

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
        deadline, planned = self.now() + seconds, pauses()
        if not await self._come_first(waiter, deadline):
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
            await self._asker.sleep(min(got, left, next(planned)))

    async def _come_first(self, waiter: Waiter, deadline: float) -> bool:
        while self._first() is not waiter and (left := deadline - self.now()) > 0:
            waiter.is_woken = False
            if self._first() is not waiter:
                await waiter.sleep(min(left, _LOOKS_AFTER))
        return self._first() is waiter

    def wake(self) -> None:
        """A permit was released: the first shall ask at once."""
        self._asker.wake()

    def leave(self, waiter: Waiter) -> None:
        waiter.is_over = True
        was_first = next(iter(self._waiters), None) == waiter.number
        self._waiters.pop(waiter.number, None)
        first = self._first() if was_first else None
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
        return None
