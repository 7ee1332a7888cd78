"""A permit of a limiter in this process, and what acquires one for a block."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, NoReturn

from sluicegate._support.waiting import Waiter
from sluicegate.errors import RateLimitError

if TYPE_CHECKING:
    from sluicegate._core import Grant, Permits

__all__ = ["Entry", "Permit"]

#: Nobody knows when a permit will be released: a guess, in seconds.
_RETRY_AFTER = 1.0


class Permit:
    """One of a key's permits. Leaving its ``with`` or ``async with`` releases it.

    One that is dropped without being released is given back when it is garbage-collected.

    Attributes:
        key: whose it is.
    """

    __slots__ = ("_grant", "key")

    def __init__(self, key: str) -> None:
        self.key = key
        # Given back when it is dropped. Set last: what could fail was done before.
        self._grant: Grant | None = None

    @property
    def held(self) -> bool:
        """Whether it counts: it was not released, and this is the process that acquired it."""
        return self._grant is not None and self._grant.held

    def release(self) -> None:
        """Give it back, to the first who waits. A second time does nothing. From any thread."""
        if self._grant is not None:
            self._grant.release()

    def __enter__(self) -> Permit:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Permit:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release()

    def __reduce__(self) -> NoReturn:
        # A copy would release it once more.
        raise TypeError("a permit can be neither copied nor pickled")


class Entry:
    """What ``permit`` gives: entering it, by ``with`` or ``async with``, acquires a permit."""

    __slots__ = ("_key", "_permit", "_permits", "_seconds")

    def __init__(self, permits: Permits, key: str, seconds: float) -> None:
        self._permits, self._key, self._seconds = permits, key, seconds
        self._permit: Permit | None = None

    def __enter__(self) -> Permit:
        permit = self._new()
        try:
            permit._grant = self._permits.take(self._key)
            if permit._grant is None and self._seconds:
                permit._grant = self._permits.wait(self._key, self._seconds)
        finally:
            if permit._grant is None:
                self._permit = None
        if permit._grant is None:
            raise self._refusal()
        return permit

    def __exit__(self, *_: object) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.release()

    async def __aenter__(self) -> Permit:
        permit = self._new()
        try:
            permit._grant = self._permits.take(self._key)
            if permit._grant is None and self._seconds:
                permit._grant = await _wait(self._permits, self._key, self._seconds)
        finally:
            if permit._grant is None:
                self._permit = None
        if permit._grant is None:
            raise self._refusal()
        return permit

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _new(self) -> Permit:
        if self._permit is not None:
            raise RuntimeError("it was entered before: call permit() for each block")
        self._permit = Permit(self._key)
        return self._permit

    def _refusal(self) -> RateLimitError:
        return RateLimitError(f"All {self._permits.limit} permits are in use", _RETRY_AFTER)


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
