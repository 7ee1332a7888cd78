"""Threads of this process that wait for a permit of one key in a zone, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

from sluicegate._connection.waiter import ThreadWaiter, Waiter
from sluicegate._support import fork
from sluicegate.concurrency.permit_queue import PermitQueue

__all__ = ["PermitThreads", "in_line", "permits_in_line"]

_lock = fork.new_lock()
# By who owns the key, and the key. There is an entry only while somebody waits.
_queues: dict[tuple[int, str], PermitThreads] = {}


class PermitThreads(PermitQueue):
    """Threads that wait for a permit. Its coroutines never wait, they block."""

    __slots__ = ()
    make_waiter = ThreadWaiter
    now = staticmethod(time.monotonic)

    def join(self) -> Waiter:
        with _lock:
            return super().join()

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
            if not isinstance(waiter, ThreadWaiter) or waiter.thread != thread:
                self._waiters.pop(number)


@contextmanager
def in_line(owner: object, key: str) -> Generator[tuple[PermitThreads, Waiter], None, None]:
    """Wait in the queue of this owner's key, until the block ends."""
    name = id(owner), key  # who waits keeps the owner alive
    with _lock:
        queue = _queues.setdefault(name, PermitThreads())
        waiter = queue.join()
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
    return queue if queue else None


def _after_fork() -> None:
    """A child has the thread that forked, and no other."""
    for queue in _queues.values():
        queue.keep(threading.get_ident())


fork.call_in_child(_after_fork)
