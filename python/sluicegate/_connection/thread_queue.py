"""Threads of this process that wait for one key in Redis, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from math import inf
from typing import TypeVar
from weakref import WeakSet

from sluicegate._connection.places import Places
from sluicegate._connection.wait_queue import PermitQueue, Waiter, WaitQueue
from sluicegate._support import fork

__all__ = ["PermitThreads", "ThreadPlaces", "WaitThreads", "in_line", "permits_in_line"]

_lock = fork.new_lock()
# By who owns the key, and the key. There is an entry only while somebody waits.
_queues: dict[tuple[int, str], WaitQueue] = {}

_places: WeakSet[ThreadPlaces] = WeakSet()

Q = TypeVar("Q", bound=WaitQueue)


class _Thread(Waiter):
    """A thread that sleeps until woken; a signal's handler may raise in it."""

    __slots__ = ("_event", "thread")

    def __init__(self, number: int = 0) -> None:
        super().__init__(number)
        self.thread = threading.get_ident()
        self._event = threading.Event()

    def wake(self) -> None:
        self.is_woken = True
        self._event.set()

    async def sleep(self, seconds: float) -> None:
        self._event.clear()
        if not self.is_woken:  # looked at only now, or a wake-up might be lost
            self._event.wait(min(seconds, threading.TIMEOUT_MAX))


class WaitThreads(WaitQueue):
    """Threads that wait, of which the first asks. Its coroutines never wait, they block."""

    __slots__ = ()
    make_waiter = _Thread
    now = staticmethod(time.monotonic)

    @staticmethod
    async def pause(seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251

    def join(self, deadline: float = inf) -> Waiter:
        with _lock:
            return super().join(deadline)

    def tell(self, free_at: float) -> None:
        with _lock:
            super().tell(free_at)

    def leave(self, waiter: Waiter) -> None:
        with _lock:
            super().leave(waiter)

    def _first(self) -> Waiter | None:
        with _lock:
            return super()._first()

    def keep(self, thread: int) -> None:
        """Forget all that wait in other threads."""
        for number, known in list(self._waiters.items()):
            waiter = known()
            if not isinstance(waiter, _Thread) or waiter.thread != thread:
                self._waiters.pop(number)


class ThreadPlaces(Places):
    """Threads that wait at several limits."""

    make_waiter = _Thread
    lock = fork.new_lock()
    now = staticmethod(time.monotonic)

    def __init__(self) -> None:
        super().__init__()
        _places.add(self)

    def keep(self, thread: int) -> None:
        """Forget all that wait in other threads."""
        for number, known in list(self._waiters.items()):
            waiter = known()
            if not isinstance(waiter, _Thread) or waiter.thread != thread:
                self._forget(number)


class PermitThreads(PermitQueue, WaitThreads):
    """Threads that wait for a permit."""

    __slots__ = ()


@contextmanager
def in_line(
    owner: object, key: str, make: Callable[[], Q], deadline: float = inf
) -> Generator[tuple[Q, Waiter], None, None]:
    """Wait in the queue of this owner's key, until the block ends."""
    name = id(owner), key  # who waits keeps the owner alive
    with _lock:
        queue: Q = _queues.setdefault(name, make())  # type: ignore[assignment]
        waiter = queue.join(deadline)
    try:
        yield queue, waiter
    finally:
        waiter.is_over = True
        with _lock:
            queue.leave(waiter)
            if not queue:
                _queues.pop(name, None)


def permits_in_line(owner: object, key: str) -> PermitThreads | None:
    """Those who wait for a permit of this owner's key, if anybody does."""
    queue = _queues.get((id(owner), key))
    return queue if isinstance(queue, PermitThreads) and queue else None


def _after_fork() -> None:
    """A child has the thread that forked, and no other."""
    for queue in _queues.values():
        if isinstance(queue, WaitThreads):
            queue.keep(threading.get_ident())
    for places in list(_places):
        places.keep(threading.get_ident())


fork.call_in_child(_after_fork)
