"""One who waits for Redis: a coroutine or a thread, which any thread may wake."""

from __future__ import annotations

import asyncio
import threading
from asyncio import _get_running_loop
from contextlib import suppress
from math import inf

from sluicegate._connection.line import Line, Place
from sluicegate._support.per_loop import PerLoop
from sluicegate._support.waiting.timer import Timer

__all__ = ["LoopWaiter", "ThreadWaiter", "Waiter"]


class Waiter:
    """One who sleeps until woken.

    ``is_over`` is set by who leaves, before anything is called: near the recursion limit, or
    when a signal handler raises, no call may come to its end.
    """

    __slots__ = (
        *("__weakref__", "asked_in", "asks_at", "deadline", "due_at"),
        *("is_asleep", "is_over", "is_woken", "lines", "looks_out", "number"),
    )

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.is_over = self.is_woken = self.is_asleep = self.looks_out = False
        #: Where it stands. A line is there as long as one of those who stand in it.
        self.lines: dict[Place, Line] = {}
        #: When it gives up, when it asks next, and when it is to move at the latest.
        self.deadline, self.asks_at, self.due_at = inf, -inf, inf
        #: The epoch of its line in which it asked last: the time to ask next holds as long as that.
        self.asked_in: object = None

    @property
    def home(self) -> object:
        """What it stands still with."""
        raise NotImplementedError

    @property
    def is_there(self) -> bool:
        """Whether it could move now."""
        return True

    def wake(self) -> None:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        """Until ``seconds`` have passed, or it is woken; not at all if it has been."""
        raise NotImplementedError


class LoopWaiter(Waiter):
    """A coroutine, in an event loop."""

    __slots__ = ("_loop", "_sleep")

    def __init__(self, number: int = 0) -> None:
        super().__init__(number)
        self._loop = asyncio.get_running_loop()
        self._sleep: asyncio.Future[None] | None = None

    @property
    def home(self) -> object:
        return self._loop

    @property
    def is_there(self) -> bool:
        return self._loop.is_running()

    def wake(self) -> None:
        self.is_woken = True
        sleep = self._sleep
        if sleep is None:
            return
        # Not set here: near the recursion limit that may leave it set, and nobody woken. Outside of tasks
        # a signal's handler may run in the loop's thread while the loop sleeps, and is to end that.
        with suppress(RuntimeError):  # it is closed
            is_here = _get_running_loop() is self._loop and asyncio.current_task() is not None
            plan = self._loop.call_soon if is_here else self._loop.call_soon_threadsafe
            plan(_set, sleep)

    async def sleep(self, seconds: float) -> None:
        sleep = self._sleep = self._loop.create_future()
        sleepers = _sleepers.here(self._loop, Sleepers)
        number = 0
        try:
            if self.is_woken:  # looked at only now, or another thread's call might be lost
                return
            if seconds < inf:
                number = sleepers.add(sleep)
                sleepers.set(self._loop, seconds, number)
            await sleep
        finally:
            self._sleep = None
            if number:
                sleepers.forget(number)


class ThreadWaiter(Waiter):
    """A thread; a signal's handler may raise in it. Its coroutines never wait, they block."""

    __slots__ = ("_awake", "thread")

    def __init__(self, number: int = 0) -> None:
        super().__init__(number)
        self.thread = threading.get_ident()
        # Locked unless woken. No Event: that takes a lock of its own for moments, in which a signal's
        # handler that wakes somebody would wait for the very thread that it runs in.
        self._awake = threading.Lock()
        self._awake.acquire()

    @property
    def home(self) -> object:
        return None  # a thread that sleeps here can always be woken, as all the others

    def wake(self) -> None:
        self.is_woken = True
        with suppress(RuntimeError):  # it is woken already
            self._awake.release()

    async def sleep(self, seconds: float) -> None:
        self._awake.acquire(blocking=False)  # whoever woke it for what it has seen by now
        if not self.is_woken:  # looked at only now, or a wake-up might be lost
            self._awake.acquire(timeout=min(seconds, threading.TIMEOUT_MAX))


class Sleepers:
    """Those who sleep in one event loop until a time, and a single timer for them."""

    __slots__ = ("_last", "_sleeps", "_timer")

    def __init__(self) -> None:
        self._sleeps: dict[int, asyncio.Future[None]] = {}
        self._last = 0
        self._timer = Timer(self._ring)

    def add(self, sleep: asyncio.Future[None]) -> int:
        """By which number one sleeps, from 1."""
        self._last += 1
        self._sleeps[self._last] = sleep
        return self._last

    def set(self, loop: asyncio.AbstractEventLoop, seconds: float, number: int) -> None:
        """Wake it after so long."""
        now = loop.time()
        self._timer.set(loop, now, now + seconds, number)

    def forget(self, number: int) -> None:
        """It sleeps no longer."""
        self._sleeps.pop(number, None)
        self._timer.forget(number)

    def _ring(self, number: int) -> None:
        sleep = self._sleeps.get(number)
        if sleep is not None:
            _set(sleep)


_sleepers: PerLoop[Sleepers] = PerLoop()


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
