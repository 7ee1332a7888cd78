"""One permit of a limiter in Redis: leased, or lent by this process in the server's place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from itertools import count
from secrets import token_urlsafe
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from sluicegate._support import fork

if TYPE_CHECKING:
    from sluicegate._connection.replies import Taker
    from sluicegate._core import Permit

__all__ = ["Lease", "Loan", "process"]

# What ids begin with, and by which a forked child knows what is its parent's.
_process = token_urlsafe(6)
_numbers = count()


def _after_fork() -> None:
    global _process
    _process = token_urlsafe(6)


fork.call_in_child(_after_fork)


def process() -> str:
    """What this process calls itself."""
    return _process


class _Home(Protocol):
    process: str
    micros: str

    def give_back(self, key: str, lease_id: str, /) -> Taker: ...
    def give_back_soon(self, key: str, lease_id: str, /) -> None: ...


class Lease:
    """A permit in Redis, by an id of its own that is known before the server is asked."""

    __slots__ = ("__weakref__", "ends", "granted", "home", "id", "key")

    def __init__(self, home: _Home, key: str) -> None:
        self.granted = False
        self.home, self.key = home, key
        #: No other's, and with the lease by which the scripts know an end that is too far ahead.
        self.id = f"{_process}{next(_numbers):x}:{home.micros}"
        #: By our monotonic clock, never after the server's end of it.
        self.ends = 0.0

    @property
    def held(self) -> bool:
        return self._is_ours() and monotonic() < self.ends

    def release(self) -> Coroutine[Any, Any, None]:
        """Send the release, at once where a loop runs; a coroutine that ends when it is answered."""
        if asyncio._get_running_loop() is None:  # noqa: SLF001
            return self._release_later()
        if not self._is_ours():
            return _nothing_to_await()
        reply = self.home.give_back(self.key, self.id)
        # Only now: what failed on the way, as near the recursion limit, can be tried again.
        self.granted = False
        return reply.taken()

    async def _release_later(self) -> None:
        await self.release()

    def _is_ours(self) -> bool:
        return self.granted and self.home.process is _process

    def __del__(self) -> None:
        # A result that was lost on its way, as when a wait for it is cancelled: nobody holds it.
        if self.granted and self.home.process is _process:
            self.home.give_back_soon(self.key, self.id)


class Loan:
    """A permit of this process, in the server's place; ``wake`` tells those who wait for it."""

    __slots__ = ("_permit", "_wake")

    def __init__(self, permit: Permit, wake: Callable[[], None]) -> None:
        self._permit, self._wake = permit, wake

    @property
    def held(self) -> bool:
        return self._permit.held

    def release(self) -> Coroutine[Any, Any, None]:
        if asyncio._get_running_loop() is None:  # noqa: SLF001
            return self._release_later()
        self._permit.release()
        self._wake()
        return _nothing_to_await()

    async def _release_later(self) -> None:
        await self.release()


async def _nothing_to_await() -> None: ...
