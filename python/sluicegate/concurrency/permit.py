"""What acquires a permit for a block, wherever its limiter keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sluicegate._core import Permit
from sluicegate.errors import RateLimitError

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["Entry", "Permit", "Undecided"]


class _Limiter(Protocol):
    @property
    def limit(self) -> int: ...

    def _block(self, key: str, seconds: float, /) -> Permit | float:
        """A permit, within ``seconds``; or seconds, > 0, until one may be free."""
        ...

    def _acquire(self, key: str, seconds: float, /) -> Coroutine[Any, Any, Permit | float]: ...


class Undecided(float):
    """Seconds to wait, where the server did not decide and ``on_error`` is ``"closed"``."""


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
            return self._holding(self._limiter._block(self._key, self._seconds))  # noqa: SLF001
        finally:
            self._entered = self._permit is not None

    def __exit__(self, *_: object) -> None:
        permit, self._permit, self._entered = self._permit, None, False
        if permit is not None:
            permit.release()

    async def __aenter__(self) -> Permit:
        self._begin()
        try:
            return self._holding(await self._limiter._acquire(self._key, self._seconds))  # noqa: SLF001
        finally:
            self._entered = self._permit is not None

    async def __aexit__(self, *_: object) -> None:
        permit, self._permit, self._entered = self._permit, None, False
        if permit is not None:
            await permit.__aexit__(None, None, None)

    def _begin(self) -> None:
        if self._entered:
            raise RuntimeError("it was entered before: call permit() for each block")
        self._entered = True

    def _holding(self, got: Permit | float) -> Permit:
        if isinstance(got, Undecided):
            raise RateLimitError("The server did not decide, and on_error is 'closed'", got)
        if not isinstance(got, Permit):
            raise RateLimitError(f"All {self._limiter.limit} permits are in use", got)
        self._permit = got
        return got
