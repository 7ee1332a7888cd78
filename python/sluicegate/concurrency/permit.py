"""A permit, wherever its limiter keeps them, and what acquires one for a block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from sluicegate._core import Grant
from sluicegate.errors import RateLimitError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from sluicegate.concurrency.lease import Lease, Loan

__all__ = ["Entry", "Permit"]


class Permit:
    """One of a key's permits. Leaving its ``with`` or ``async with`` releases it.

    One that is dropped without being released is given back when it is garbage-collected; in
    Redis it runs out with its lease at the latest.

    Attributes:
        key: whose it is.
    """

    __slots__ = ("_source", "key")

    def __init__(self, key: str, source: Grant | Lease | Loan | None = None) -> None:
        self.key = key
        # Given back when it is dropped. Set last: what could fail was done before.
        self._source = source

    @property
    def held(self) -> bool:
        """Whether it counts: it was neither released, nor lost with its lease.

        Also false in a forked child, whose parent holds it.
        """
        return self._source is not None and self._source.held

    def release(self) -> Any:
        """Give it back, to the first who waits. A second time does nothing.

        In memory it is done at once, from any thread. In Redis this is a coroutine. The release
        is sent by the call itself, in a running event loop, so that cancelling the coroutine
        changes nothing. Neither a server that does not answer nor a lease that is lost is an
        error: it is sent again for as long as the lease may last.
        """
        return None if self._source is None else self._source.release()

    def __enter__(self) -> Permit:
        if not isinstance(self._source, Grant):
            raise TypeError("a permit in Redis takes time to release: use `async with`")
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    async def __aenter__(self) -> Permit:
        return self

    async def __aexit__(self, *_: object) -> None:
        released = self.release()
        if released is not None:
            await released

    def __reduce__(self) -> NoReturn:
        # A copy would release it once more.
        raise TypeError("a permit can be neither copied nor pickled")


class _Limiter(Protocol):
    @property
    def limit(self) -> int: ...

    def _block(self, key: str, seconds: float, /) -> Permit | float:
        """A permit, within ``seconds``; or seconds, > 0, until one may be free."""

    def _acquire(self, key: str, seconds: float, /) -> Coroutine[Any, Any, Permit | float]: ...


class Entry:
    """What ``permit`` gives: entering it, by ``with`` or ``async with``, acquires a permit."""

    __slots__ = ("_entered", "_key", "_limiter", "_permit", "_seconds")

    def __init__(self, limiter: _Limiter, key: str, seconds: float) -> None:
        self._limiter, self._key, self._seconds = limiter, key, seconds
        self._permit: Permit | None = None
        self._entered = False

    def __enter__(self) -> Permit:
        self._begin()
        try:
            return self._holding(self._limiter._block(self._key, self._seconds))
        finally:
            self._entered = self._permit is not None

    def __exit__(self, *_: object) -> None:
        permit, self._permit, self._entered = self._permit, None, False
        if permit is not None:
            permit.release()

    async def __aenter__(self) -> Permit:
        self._begin()
        try:
            return self._holding(await self._limiter._acquire(self._key, self._seconds))
        finally:
            self._entered = self._permit is not None

    async def __aexit__(self, *_: object) -> None:
        permit, self._permit, self._entered = self._permit, None, False
        if permit is not None:
            await permit.__aexit__()

    def _begin(self) -> None:
        if self._entered:
            raise RuntimeError("it was entered before: call permit() for each block")
        self._entered = True

    def _holding(self, got: Permit | float) -> Permit:
        if not isinstance(got, Permit):
            raise RateLimitError(f"All {self._limiter.limit} permits are in use", got)
        self._permit = got
        return got
