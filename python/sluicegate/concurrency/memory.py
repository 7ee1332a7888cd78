"""At most so many at once: permits that are held while something goes on (nginx's limit_conn)."""

from __future__ import annotations

import asyncio
from math import inf
from typing import NoReturn

from sluicegate import _core
from sluicegate._core import Permit
from sluicegate._support.arguments import checked_key, number, seconds_to_wait
from sluicegate._support.pickling import stays
from sluicegate._support.single import Single
from sluicegate._support.waiting.in_line import Waiter
from sluicegate.concurrency.permit import Entry

__all__ = ["ConcurrencyLimiter"]

#: Nobody knows when a permit will be released: a guess, in seconds.
_RETRY_AFTER = 1.0


class ConcurrencyLimiter(Single, _core.Permits):
    """At most ``limit`` permits are held at once for each key, in this process.

    Threads and coroutines of any event loop wait in one line a key, first come, first
    served; a newcomer never overtakes. A key that nobody holds or waits for takes no
    memory. A forked child begins with all permits free. Taking and releasing one costs some
    0.4 µs.

    Args:
        limit: permits of each key, 1 to 4,294,967,295; or a :class:`~sluicegate.Quota` or its
            text, ``"5 concurrent"``.

    Raises:
        ValueError, TypeError: ``limit`` is out of its range; the message names it.
    """

    __slots__ = ()

    def permit(self, key: str, timeout: float | None = 0) -> Entry:
        """A context manager that holds a permit: ``async with`` or ``with``, once at a time.

        Entering waits ``timeout`` seconds at most, 0 to 1,000,000,000, or as long as it
        takes for ``None``; ``with`` blocks its thread. When no permit is free in time it
        raises :class:`~sluicegate.RateLimitError`, whose ``retry_after`` is a guess.

        Raises ``TypeError`` or ``ValueError`` for a bad key or timeout, and ``RuntimeError`` for a
        ``with`` that would block the event loop in which the next in line waits, for ever.
        """
        return Entry(self, checked_key(key), seconds_to_wait(timeout))

    # As in Redis, so that code can be written for either.
    try_acquire_sync = _core.Permits.try_acquire
    in_use_sync = _core.Permits.in_use

    def ping_sync(self, timeout: float = 1.0) -> str:
        """``"memory"``: there is no server to reach."""
        number("timeout", timeout, 0, 60, "seconds")
        return "memory"

    def close(self) -> None:
        """Nothing to close in memory."""

    def __reduce__(self) -> NoReturn:
        stays(self, "permits")

    def __repr__(self) -> str:
        return f"<ConcurrencyLimiter limit={self.limit} keys={len(self)}>"

    def _block(self, key: str, seconds: float) -> Permit | float:
        permit = self.try_acquire(key)
        if permit is None and seconds:
            permit = self._wait(key, seconds)
        return _RETRY_AFTER if permit is None else permit

    async def _acquire(self, key: str, seconds: float) -> Permit | float:
        permit = self.try_acquire(key)
        if permit is None and seconds:
            permit = await self._in_queue(key, seconds)
        return _RETRY_AFTER if permit is None else permit

    async def _in_queue(self, key: str, seconds: float) -> Permit | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        waiter = Waiter(loop)
        permit = self._join(key, waiter.bells, waiter.number)
        try:
            while not permit._come():  # noqa: SLF001
                left = until - loop.time()
                if left <= 0:
                    permit.release()
                    return None
                await waiter.come(None if left == inf else left)
            return permit
        except BaseException:
            permit.release()
            raise
