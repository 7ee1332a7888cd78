"""The permits that one event loop holds in Redis: acquired, renewed while held, given back."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from itertools import count
from secrets import token_urlsafe
from time import monotonic
from typing import TYPE_CHECKING, Any
from weakref import ref

from sluicegate._connection.notices import Complaint
from sluicegate._connection.replies import Taker
from sluicegate._connection.scripts import Scripts, script_of
from sluicegate.errors import StoreError

if TYPE_CHECKING:
    from sluicegate._core import Grant

__all__ = ["Lease", "Leases", "Loan"]

ACQUIRE = script_of("sluicegate.concurrency", "permit_acquire")
RELEASE = script_of("sluicegate.concurrency", "permit_release")
RENEW = script_of("sluicegate.concurrency", "permit_renew")

# So many ids go into one call, and so many releases that failed are tried again.
_MOST_IDS = 500
_MOST_LEAVING = 10_000


# What ids begin with, and by which a forked child knows what is its parent's.
_process = token_urlsafe(6)
_numbers = count()


def _after_fork() -> None:
    global _process
    _process = token_urlsafe(6)


os.register_at_fork(after_in_child=_after_fork)


class Lease:
    """A permit in Redis, by an id of its own that is known before the server is asked."""

    __slots__ = ("__weakref__", "ends", "granted", "home", "id", "key")

    def __init__(self, home: Leases, key: str) -> None:
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
        if asyncio._get_running_loop() is None:
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

    __slots__ = ("_grant", "_wake")

    def __init__(self, grant: Grant, wake: Callable[[], None]) -> None:
        self._grant, self._wake = grant, wake

    @property
    def held(self) -> bool:
        return self._grant.held

    def release(self) -> Coroutine[Any, Any, None]:
        if asyncio._get_running_loop() is None:
            return self._release_later()
        self._grant.release()
        self._wake()
        return _nothing_to_await()

    async def _release_later(self) -> None:
        await self.release()


async def _nothing_to_await() -> None: ...


class Leases:
    """What one event loop holds by one limiter, with one timer that renews all of it.

    There is no timer while nothing is held. A lease that is dropped is not renewed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scripts: Scripts,
        *,
        lease_seconds: float,
        timeout: float,
        on_release: Callable[[str], None],
        complain: Callable[[str, StoreError], None],
    ) -> None:
        self.process = _process
        self._loop = ref(loop)
        self._scripts = scripts
        self._seconds = lease_seconds
        self.micros = str(round(lease_seconds * 1_000_000))
        self._timeout = timeout
        self._on_release = on_release
        self._complain, self._complain_of_renewals = complain, Complaint()
        # Weak, as a lease that is dropped is given back, and takes itself out.
        self._held: dict[str, ref[Lease]] = {}
        #: Releases that the server has not answered: whose, and when their lease is over.
        self._leaving: dict[str, tuple[str, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, key: str, limit: int) -> Lease | float:
        """A lease; or the seconds, > 0, until the first of others would run out.

        Raises ``StoreError`` when the server does not answer.
        """
        lease = Lease(self, key)
        sent = monotonic()
        arguments = [lease.id, str(limit), self.micros]
        try:
            granted, _, wait = await self._scripts.run(ACQUIRE, key, arguments)
        except BaseException:
            # It may have been acquired all the same, before or after this.
            with suppress(RuntimeError, OSError):  # the loop does not run any more
                self.give_back(key, lease.id, granted=False)
            raise
        if not granted:
            return max(float(wait) / 1e6, 1e-6)
        lease.granted, lease.ends = True, sent + self._seconds
        self._held[lease.id] = ref(lease)
        if self._timer is None:
            self._arm()
        return lease

    async def count(self, key: str) -> int:
        """How many are live, of everybody."""
        _, live, _ = await self._scripts.run(ACQUIRE, key, ["", "0", "0"])
        return int(live)

    def held(self, key: str) -> int:
        """How many of ``key`` are held, as any thread may ask."""
        leases = (known() for known in list(self._held.values()))
        return sum(lease is not None and lease.key == key and lease.held for lease in leases)

    def give_back(self, key: str, lease_id: str, granted: bool = True) -> Taker:
        """Send a release now; awaited, it is answered, in whatever way."""
        loop = asyncio.get_running_loop()
        if loop is self._loop():
            self._held.pop(lease_id, None)
            if len(self._leaving) < _MOST_LEAVING:
                self._leaving[lease_id] = (key, monotonic() + self._seconds)
        return self._release(loop, key, [lease_id], self._complain if granted else _nothing)

    def give_back_soon(self, key: str, lease_id: str) -> None:
        """The same from any thread; not at all if the loop is closed."""
        loop = self._loop()
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.give_back, key, lease_id)

    def renew(self) -> list[Taker]:
        """Renew what is held, and release again what may not have been."""
        loop, now = asyncio.get_running_loop(), monotonic()
        leases = [lease for known in self._held.values() if (lease := known()) is not None]
        # Of others the server was away for too long: they are lost.
        live = [lease for lease in leases if lease.ends > now]
        self._held = {lease.id: self._held[lease.id] for lease in live}
        for lease_id, (_, until) in list(self._leaving.items()):
            if until <= now:
                del self._leaving[lease_id]
        held = ((lease.key, lease.id) for lease in live)
        leaving = ((key, lease_id) for lease_id, (key, _) in self._leaving.items())
        return [
            *(self._renew(key, ids, now) for key, ids in _batches(held)),
            *(self._release(loop, key, ids, _nothing) for key, ids in _batches(leaving)),
        ]

    def _renew(self, key: str, ids: list[str], sent: float) -> Taker:
        def renewed(replies: list[int]) -> None:
            for lease_id, live in zip(ids, replies, strict=True):
                known = self._held.get(lease_id)
                lease = None if known is None else known()
                if lease is not None:
                    lease.ends = sent + self._seconds if live else 0.0
                if not live:
                    self._held.pop(lease_id, None)

        def lost(error: StoreError) -> None:
            what = "Permits that are held are not renewed in Redis, and end with their leases"
            self._complain_of_renewals.make(what, error)

        reply = Taker(renewed, lost)
        timeout = min(self._timeout, self._seconds / 3)
        self._scripts.send(reply, RENEW, key, [self.micros, *ids], timeout)
        return reply

    def _release(
        self,
        loop: asyncio.AbstractEventLoop,
        key: str,
        ids: list[str],
        complain: Callable[[str, StoreError], None],
    ) -> Taker:
        def released(_: object) -> None:
            for lease_id in ids:
                self._leaving.pop(lease_id, None)
            if here:
                self._on_release(key)
                self._disarm()

        def not_released(error: StoreError) -> None:
            complain("Permits are not given back to Redis, and free when their leases end", error)
            if here:
                self._arm()

        here = loop is self._loop()
        reply = Taker(released, not_released)
        self._scripts.send(reply, RELEASE, key, ids)
        return reply

    def _arm(self) -> None:
        """Have what is held renewed, and what is not given back given back again."""
        loop = self._loop()
        if self._timer is None and loop is not None and loop.is_running():
            self._timer = loop.call_later(self._seconds / 3, self._tick)

    def _disarm(self) -> None:
        if self._timer is not None and not self._held and not self._leaving:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self.process is _process:
            self.renew()
            if self._held or self._leaving:
                self._arm()


def _batches(named: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Ids by key, not too many at once."""
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for key, lease_id in named:
        by_key[key].append(lease_id)
    return [
        (key, ids[start : start + _MOST_IDS])
        for key, ids in by_key.items()
        for start in range(0, len(ids), _MOST_IDS)
    ]


def _nothing(what: str, error: StoreError) -> None:
    """Nobody is to be told."""
