"""One permit of a limiter in Redis, from before it is asked for until it is released."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from sluicegate._support import fork

if TYPE_CHECKING:
    from sluicegate._core import RedisLimiter

__all__ = ["AnyLease", "Lease", "process"]

# By which a forked child knows what is its parent's.
_process = object()
_numbers = count()


def _after_fork() -> None:
    global _process
    _process = object()


fork.call_in_child(_after_fork)


def process() -> object:
    """This process."""
    return _process


class _Home(Protocol):
    core: RedisLimiter
    process: object

    def drop(self, lease: Any, /) -> None: ...


class _Loop(_Home, Protocol):
    def release(
        self, loop: asyncio.AbstractEventLoop, lease: Lease, /
    ) -> asyncio.Future[Any] | None: ...
    def released(self, loop: asyncio.AbstractEventLoop, key: str, /) -> None: ...


H = TypeVar("H", bound=_Home)


class AnyLease(Generic[H]):
    """A permit by a number that is known before the server is asked; dropped, it is given back."""

    __slots__ = ("home", "is_over", "key", "number")
    #: Whether its ``release`` blocks, so that nothing is to be awaited.
    blocks = False

    def __init__(self, home: H, key: str) -> None:
        self.is_over = False
        self.home, self.key = home, key
        self.number = next(_numbers)

    @property
    def held(self) -> bool:
        return self.home.core.holds(self.key, self.number)

    def __del__(self) -> None:
        # A result that was lost on its way, as when a wait for it is cancelled: nobody holds it.
        if not self.is_over and self.home.process is _process:
            self.is_over = True  # it lives on until the server is told
            self.home.drop(self)


class Lease(AnyLease[_Loop]):
    """One of an event loop."""

    __slots__ = ()

    def release(self) -> Coroutine[Any, Any, None]:
        """Send the release, at once where a loop runs; a coroutine that ends when it is answered."""
        loop = asyncio._get_running_loop()  # noqa: SLF001
        if loop is None:
            return _released_later(self)
        if self.is_over or self.home.process is not _process:
            return _nothing_to_await()
        answer = self.home.release(loop, self)
        # Only now: what failed on the way, as near the recursion limit, can be tried again.
        self.is_over = True
        if answer is None:
            self.home.released(loop, self.key)
            return _nothing_to_await()
        return _released(self, loop, answer)


async def _released(
    lease: Lease, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Any]
) -> None:
    try:
        await answer
    finally:
        lease.home.released(loop, lease.key)


async def _released_later(lease: Lease) -> None:
    await lease.release()


async def _nothing_to_await() -> None: ...


for _each in (_released, _released_later, _nothing_to_await):
    _each.__qualname__ = "Permit.release"  # what a warning calls one that nobody awaits
