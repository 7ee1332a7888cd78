"""At most so many at once: permits that are held while something goes on (nginx's limit_conn)."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, NoReturn

from sluicegate._core import Permits
from sluicegate._support.arguments import checked_key, seconds_to_wait, whole
from sluicegate._support.pickling import stays
from sluicegate._support.single import Single
from sluicegate._support.waiting import Waiter
from sluicegate.concurrency.permit import Entry, Permit

if TYPE_CHECKING:
    from sluicegate._core import Grant

__all__ = ["ConcurrencyLimiter"]

#: Nobody knows when a permit will be released: a guess, in seconds.
_RETRY_AFTER = 1.0


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

    __slots__ = ("__weakref__", "_limit", "_permits")

    def __init__(self, limit: int) -> None:
        self._limit = whole("limit", limit, 1, 4_294_967_295)
        self._permits = Permits(self._limit)

    @property
    def limit(self) -> int:
        """How many permits a key has."""
        return self._limit

    def try_acquire(self, key: str) -> Permit | None:
        """A permit, or ``None`` if none is free now. Release it, or use it in a ``with``.

        Raises ``TypeError`` if ``key`` is no str.
        """
        permit = Permit(checked_key(key))
        permit._source = self._permits.take(key)
        return None if permit._source is None else permit

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
        return self._permits.in_use(checked_key(key))

    def __len__(self) -> int:
        """Keys of which a permit is held."""
        return len(self._permits)

    def __bool__(self) -> bool:
        return True

    def __reduce__(self) -> NoReturn:
        stays(self, "permits")

    def __repr__(self) -> str:
        return f"<ConcurrencyLimiter limit={self._limit} keys={len(self)}>"

    def _uncounted(self) -> Grant:
        """A permit beside the limit."""
        return self._permits.uncounted()

    def _block(self, key: str, seconds: float) -> Permit | float:
        permit = Permit(key)
        permit._source = self._permits.take(key)
        if permit._source is None and seconds:
            permit._source = self._permits.wait(key, seconds)
        return _RETRY_AFTER if permit._source is None else permit

    async def _acquire(self, key: str, seconds: float) -> Permit | float:
        permit = Permit(key)
        permit._source = self._permits.take(key)
        if permit._source is None and seconds:
            permit._source = await _wait(self._permits, key, seconds)
        return _RETRY_AFTER if permit._source is None else permit


async def _wait(permits: Permits, key: str, seconds: float) -> Grant | None:
    """Wait for a permit, ``seconds`` at most."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    waiter = Waiter(loop)
    grant = permits.join(key, waiter.bells, waiter.number)
    try:
        while not grant.come():
            left = until - loop.time()
            if left <= 0:
                grant.release()
                return None
            await waiter.come(None if left == inf else left)
        return grant
    except BaseException:
        grant.release()
        raise
