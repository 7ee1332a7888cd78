"""The permits that one event loop holds in Redis: acquired, renewed while held, given back."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from secrets import token_urlsafe
from time import monotonic
from weakref import WeakValueDictionary, ref

from sluicegate._connection.notices import Complaint
from sluicegate._connection.replies import Taker
from sluicegate._connection.scripts import Scripts, script_of
from sluicegate.errors import StoreError

__all__ = ["Lease", "Leases"]

ACQUIRE = script_of("sluicegate.concurrency", "permit_acquire")
RELEASE = script_of("sluicegate.concurrency", "permit_release")
RENEW = script_of("sluicegate.concurrency", "permit_renew")

# So many ids go into one call, and so many releases that failed are tried again.
_MOST_IDS = 500
_MOST_LEAVING = 10_000


class Lease:
    """A permit in Redis, by a random id that is known before the server is asked."""

    __slots__ = ("__weakref__", "ends", "granted", "home", "id", "key")

    def __init__(self, home: Leases, key: str) -> None:
        self.granted = False
        self.home, self.key = home, key
        #: Random, and the lease by which the scripts know an end that is too far ahead.
        self.id = f"{token_urlsafe(8)}:{home.micros}"
        #: By our monotonic clock, never after the server's end of it.
        self.ends = 0.0

    @property
    def held(self) -> bool:
        return self.granted and monotonic() < self.ends and os.getpid() == self.home.pid

    def give_back(self) -> Taker | None:
        """Send the release; awaited, it is answered. ``None`` if there is none to send."""
        if not self.granted or os.getpid() != self.home.pid:
            return None
        reply = self.home.give_back(self.key, self.id)
        # Only now: what failed on the way, as near the recursion limit, can be tried again.
        self.granted = False
        return reply

    def __del__(self) -> None:
        # A result that was lost on its way, as when a wait for it is cancelled: nobody holds it.
        if self.granted and os.getpid() == self.home.pid:
            self.home.give_back_soon(self.key, self.id)


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
        self.pid = os.getpid()
        self._loop = ref(loop)
        self._scripts = scripts
        self._seconds = lease_seconds
        self.micros = str(round(lease_seconds * 1_000_000))
        self._timeout = timeout
        self._on_release = on_release
        self._complain, self._complain_of_renewals = complain, Complaint()
        self._held: WeakValueDictionary[str, Lease] = WeakValueDictionary()
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
        self._held[lease.id] = lease
        self._arm()
        return lease

    async def count(self, key: str) -> int:
        """How many are live, of everybody."""
        _, live, _ = await self._scripts.run(ACQUIRE, key, ["", "0", "0"])
        return int(live)

    def held(self, key: str) -> int:
        """How many of ``key`` are held, as any thread may ask."""
        leases = (known() for known in self._held.valuerefs())
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
        for lease in list(self._held.values()):
            if lease.ends <= now:
                del self._held[lease.id]  # the server was away for too long: it is lost
        for lease_id, (_, until) in list(self._leaving.items()):
            if until <= now:
                del self._leaving[lease_id]
        held = ((lease.key, lease.id) for lease in list(self._held.values()))
        leaving = ((key, lease_id) for lease_id, (key, _) in self._leaving.items())
        return [
            *(self._renew(key, ids, now) for key, ids in _batches(held)),
            *(self._release(loop, key, ids, _nothing) for key, ids in _batches(leaving)),
        ]

    def _renew(self, key: str, ids: list[str], sent: float) -> Taker:
        def renewed(replies: list[int]) -> None:
            for lease_id, live in zip(ids, replies, strict=True):
                lease = self._held.get(lease_id)
                if lease is None:
                    continue
                lease.ends = sent + self._seconds if live else 0.0
                if not live:
                    del self._held[lease_id]

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
                self._arm()

        def not_released(error: StoreError) -> None:
            complain("Permits are not given back to Redis, and free when their leases end", error)
            if here:
                self._arm()

        here = loop is self._loop()
        reply = Taker(released, not_released)
        self._scripts.send(reply, RELEASE, key, ids)
        return reply

    def _arm(self) -> None:
        loop = self._loop()
        if loop is None or not loop.is_running():
            return
        wanted = bool(self._held or self._leaving)
        if wanted and self._timer is None:
            self._timer = loop.call_later(self._seconds / 3, self._tick)
        elif not wanted and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if os.getpid() == self.pid:
            self.renew()
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
