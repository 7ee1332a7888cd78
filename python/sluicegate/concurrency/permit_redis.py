"""A permit of a limiter in Redis, and what acquires one for a block."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, NoReturn

from sluicegate import concurrency
from sluicegate.concurrency.leases import Lease
from sluicegate.errors import RateLimitError

if TYPE_CHECKING:
    from sluicegate._connection.replies import Taker
    from sluicegate.concurrency.redis import ConcurrencyLimiter

__all__ = ["Entry", "Permit", "Undecided"]


class Undecided(float):
    """Seconds to wait, where the server did not decide and ``on_error`` is ``"closed"``."""


class _Asynchronous:
    __slots__ = ()

    def __enter__(self) -> NoReturn:
        raise TypeError("a permit in Redis takes time to release: use `async with`")

    def __exit__(self, *_: object) -> None: ...


class Permit(_Asynchronous):
    """One of a key's permits. Leaving its ``async with`` releases it.

    One that is dropped without being released is given back, or at the latest runs out
    with its lease.

    Attributes:
        key: whose it is.
    """

    __slots__ = ("_limiter", "_source", "key")

    def __init__(
        self, limiter: ConcurrencyLimiter, key: str, source: Lease | concurrency.Permit
    ) -> None:
        self.key = key
        self._limiter = limiter
        self._source = source

    @property
    def held(self) -> bool:
        """Whether it counts: it was neither released, nor lost with its lease.

        Also false in a forked child, whose parent holds it.
        """
        return self._source.held

    def release(self) -> Coroutine[Any, Any, None]:
        """Give it back where it came from; a coroutine. A second time does nothing.

        The release is sent by the call itself, in a running event loop, so that cancelling
        the coroutine changes nothing. Neither a server that does not answer nor a lease
        that is lost is an error: it is sent again for as long as the lease may last.
        """
        if asyncio._get_running_loop() is None:
            return self._release_later()
        if isinstance(self._source, Lease):
            return _answered(self._source.give_back())
        self._source.release()
        self._limiter._ring(self.key)
        return _answered(None)

    async def _release_later(self) -> None:
        await self.release()

    async def __aenter__(self) -> Permit:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.release()


class Entry(_Asynchronous):
    """What ``permit`` gives: entering it, by ``async with``, acquires a permit."""

    __slots__ = ("_entered", "_key", "_limiter", "_permit", "_seconds")

    def __init__(self, limiter: ConcurrencyLimiter, key: str, seconds: float) -> None:
        self._limiter, self._key, self._seconds = limiter, key, seconds
        self._permit: Permit | None = None
        self._entered = False

    async def __aenter__(self) -> Permit:
        if self._entered:
            raise RuntimeError("it was entered before: call permit() for each block")
        self._entered = True
        try:
            got = await self._limiter._acquire(self._key, self._seconds)
        except BaseException:
            self._entered = False
            raise
        if not isinstance(got, Permit):
            self._entered = False
            raise RateLimitError(f"All {self._limiter.limit} permits are in use", got)
        self._permit = got
        return got

    async def __aexit__(self, *_: object) -> None:
        permit, self._permit, self._entered = self._permit, None, False
        if permit is not None:
            await permit.release()


async def _answered(reply: Taker | None) -> None:
    if reply is not None:
        await reply
