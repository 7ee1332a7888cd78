"""A permit of a limiter in this process, and what acquires one for a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from sluicegate._permit_turns import Line, wait_here, wait_in_thread
from sluicegate.errors import RateLimitError

if TYPE_CHECKING:
    from sluicegate.concurrency import ConcurrencyLimiter

__all__ = ["Entry", "Permit"]

#: Nobody knows when a permit will be released: a guess, in seconds.
_RETRY_AFTER = 1.0


class Permit:
    """One of a key's permits. Leaving its ``with`` or ``async with`` releases it.

    One that is dropped without being released is given back when it is garbage-collected.

    Attributes:
        key: whose it is.
    """

    __slots__ = ("_limiter", "_line", "key")

    def __init__(self, limiter: ConcurrencyLimiter, key: str) -> None:
        self._line: Line | None = None
        self._limiter = limiter
        self.key = key

    @property
    def held(self) -> bool:
        """Whether it counts: it was not released, and this is the process that acquired it."""
        line = self._line
        return line is not None and not line.left_behind

    def release(self) -> None:
        """Give it back, to the first who waits. A second time does nothing. From any thread."""
        self._limiter._give_back(self)

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

    def __del__(self) -> None:
        if self._line is not None:
            self._limiter._drop(self._line)


class Entry:
    """What ``permit`` gives: entering it, by ``with`` or ``async with``, acquires a permit."""

    __slots__ = ("_key", "_limiter", "_permit", "_seconds")

    def __init__(self, limiter: ConcurrencyLimiter, key: str, seconds: float) -> None:
        self._limiter, self._key, self._seconds = limiter, key, seconds
        self._permit: Permit | None = None

    def __enter__(self) -> Permit:
        permit = self._new()
        if self._limiter._take(permit):
            return permit
        if self._seconds and wait_in_thread(self._limiter, permit, self._seconds):
            return permit
        raise self._refusal()

    def __exit__(self, *_: object) -> None:
        permit, self._permit = self._permit, None
        if permit is not None:
            permit.release()

    async def __aenter__(self) -> Permit:
        permit = self._new()
        if self._limiter._take(permit):
            return permit
        if self._seconds and await wait_here(self._limiter, permit, self._seconds):
            return permit
        raise self._refusal()

    async def __aexit__(self, *_: object) -> None:
        self.__exit__()

    def _new(self) -> Permit:
        if self._permit is not None:
            raise RuntimeError("it was entered before: call permit() for each block")
        self._permit = Permit(self._limiter, self._key)
        return self._permit

    def _refusal(self) -> RateLimitError:
        self._permit = None
        return RateLimitError(f"All {self._limiter.limit} permits are in use", _RETRY_AFTER)
