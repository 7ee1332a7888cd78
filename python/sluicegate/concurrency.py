"""At most so many at once: permits that are held while something goes on (nginx's limit_conn)."""

from __future__ import annotations

import os
from collections import deque
from threading import Lock
from typing import NoReturn
from weakref import WeakSet

from sluicegate import _limits_switch
from sluicegate._checked import checked_key, seconds_to_wait, whole
from sluicegate._permit import Entry, Permit
from sluicegate._permit_turns import Line, Turn
from sluicegate._pickling import stays
from sluicegate._single import Single

__all__ = ["ConcurrencyLimiter", "Entry", "Permit"]


class ConcurrencyLimiter(Single):
    """At most ``limit`` permits are held at once for each key, in this process.

    Threads and coroutines of any event loop wait in one line a key, first come, first
    served; a newcomer never overtakes. A key that nobody holds or waits for takes no
    memory. A forked child begins with all permits free. Taking and releasing one costs some
    3 µs.

    Args:
        limit: permits of each key, 1 to 4,294,967,295.

    Raises:
        ValueError, TypeError: ``limit`` is out of its range; the message names it.
    """

    __slots__ = ("__weakref__", "_dropped", "_limit", "_lines", "_lock")

    def __init__(self, limit: int) -> None:
        self._limit = whole("limit", limit, 1, 4_294_967_295)
        self._begin()
        _limiters.add(self)

    @property
    def limit(self) -> int:
        """How many permits a key has."""
        return self._limit

    def try_acquire(self, key: str) -> Permit | None:
        """A permit, or ``None`` if none is free now. Release it, or use it in a ``with``.

        Raises ``TypeError`` if ``key`` is no str.
        """
        permit = Permit(self, checked_key(key))
        return permit if self._take(permit) else None

    def permit(self, key: str, timeout: float | None = 0) -> Entry:
        """A context manager that holds a permit: ``async with`` or ``with``, once at a time.

        Entering waits ``timeout`` seconds at most, 0 to 1,000,000,000, or as long as it
        takes for ``None``; ``with`` blocks its thread. When no permit is free in time it
        raises :class:`~sluicegate.RateLimitError`, whose ``retry_after`` is a guess.

        Raises ``TypeError`` or ``ValueError`` for a bad key or timeout.
        """
        return Entry(self, checked_key(key), seconds_to_wait(timeout))

    def in_use(self, key: str) -> int:
        """How many permits of ``key`` are held now."""
        line = self._lines.get(checked_key(key))
        return 0 if line is None else line.live

    def __len__(self) -> int:
        """Keys of which a permit is held."""
        return len(self._lines)

    def __bool__(self) -> bool:
        return True

    def __reduce__(self) -> NoReturn:
        stays(self, "permits")

    def __repr__(self) -> str:
        return f"<ConcurrencyLimiter limit={self._limit} keys={len(self)}>"

    def _begin(self) -> None:
        self._lock = Lock()
        self._lines: dict[str, Line] = {}
        # By garbage collection, which may come in the middle of anything, also under the lock.
        self._dropped: deque[Line] = deque()

    def _take(self, permit: Permit) -> bool:
        if _limits_switch.are_off():
            self._grant_uncounted(permit)
            return True
        with self._lock:
            taken = self._grant(permit)
        self._sweep()
        return taken

    def _join(self, turn: Turn) -> bool:
        """Grant its permit now, or put it in line."""
        with self._lock:
            taken = self._grant(turn.permit)
            if not taken:
                self._lines[turn.permit.key].waiting[turn] = None
        self._sweep()
        return taken

    def _leave(self, turn: Turn) -> bool:
        """Wait no longer; whether the permit was granted."""
        with self._lock:
            granted = turn.permit._line is not None
            line = self._lines.get(turn.permit.key)
            if line is not None and not granted:
                line.waiting.pop(turn, None)
        self._sweep()
        return granted

    def _grant_uncounted(self, permit: Permit) -> None:
        """Beside all limits: a line that nobody else will ever see."""
        permit._line = Line(permit.key)
        permit._line.live = 1

    def _grant(self, permit: Permit) -> bool:
        line = self._lines.get(permit.key)
        if line is None:
            line = self._lines[permit.key] = Line(permit.key)
        elif line.live >= self._limit:
            return False
        line.live += 1
        permit._line = line
        return True

    def _give_back(self, permit: Permit) -> None:
        with self._lock:
            line, permit._line = permit._line, None
            if line is not None:
                self._pass_on(line)
        self._sweep()

    def _pass_on(self, line: Line) -> None:
        if line.left_behind:
            return
        while line.waiting:
            turn, _ = line.waiting.popitem(last=False)
            turn.permit._line = line
            if turn.ring():
                return
            turn.permit._line = None
        line.live -= 1
        if not line.live and self._lines.get(line.key) is line:
            del self._lines[line.key]

    def _drop(self, line: Line) -> None:
        self._dropped.append(line)
        self._sweep()

    def _sweep(self) -> None:
        # Who holds the lock sweeps after it, so that nothing that was dropped meanwhile stays.
        while self._dropped and self._lock.acquire(blocking=False):
            try:
                while self._dropped:
                    self._pass_on(self._dropped.popleft())
            finally:
                self._lock.release()


_limiters: WeakSet[ConcurrencyLimiter] = WeakSet()
# A parent's waiters, never to be woken, nor to be collected, by its child.
_left_behind: list[dict[str, Line]] = []


def _after_fork() -> None:
    for limiter in list(_limiters):
        for line in limiter._lines.values():
            line.left_behind = True
        _left_behind.append(limiter._lines)
        limiter._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
