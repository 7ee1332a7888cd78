"""One who waits for Redis: a coroutine or a thread, which any thread may wake."""

from __future__ import annotations

import asyncio
import threading
from asyncio import _get_running_loop
from contextlib import suppress
from math import inf

__all__ = ["LoopWaiter", "ThreadWaiter", "Waiter"]


class Waiter:
    """One who sleeps until woken.

    ``is_over`` is set by who leaves, before anything is called: near the recursion limit, or
    when a signal handler raises, no call may come to its end.
    """

    __slots__ = (
        *("__weakref__", "asked_in", "asks_at", "deadline", "due_at"),
        *("is_asleep", "is_over", "is_woken", "number"),
    )

    def __init__(self, number: int = 0) -> None:
        self.number = number
        self.is_over = self.is_woken = self.is_asleep = False
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
        # Not set here: near the recursion limit that may leave it set, and nobody woken.
        here = _get_running_loop() is self._loop
        plan = self._loop.call_soon if here else self._loop.call_soon_threadsafe
        with suppress(RuntimeError):  # it is closed
            plan(_set, sleep)

    async def sleep(self, seconds: float) -> None:
        sleep = self._sleep = self._loop.create_future()
        timer = None
        try:
            if self.is_woken:  # looked at only now, or another thread's call might be lost
                return
            if seconds < inf:
                timer = self._loop.call_later(seconds, _set, sleep)
            await sleep
        finally:
            self._sleep = None
            if timer is not None:
                timer.cancel()


class ThreadWaiter(Waiter):
    """A thread; a signal's handler may raise in it. Its coroutines never wait, they block."""

    __slots__ = ("_event", "thread")

    def __init__(self, number: int = 0) -> None:
        super().__init__(number)
        self.thread = threading.get_ident()
        self._event = threading.Event()

    @property
    def home(self) -> object:
        return None  # a thread that sleeps here can always be woken, as all the others

    def wake(self) -> None:
        self.is_woken = True
        self._event.set()

    async def sleep(self, seconds: float) -> None:
        self._event.clear()
        if not self.is_woken:  # looked at only now, or a wake-up might be lost
            self._event.wait(min(seconds, threading.TIMEOUT_MAX))


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
