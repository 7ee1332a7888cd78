"""The permits that one event loop holds in Redis: acquired, renewed while held, given back."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any
from weakref import ref

from sluicegate._connection.notices import Complaint
from sluicegate._connection.replies import Taker
from sluicegate._connection.scripts import Scripts, script_of
from sluicegate._connection.wait_queue import PermitQueue
from sluicegate.concurrency.lease import Lease, process
from sluicegate.errors import StoreError

__all__ = ["ACQUIRE", "RELEASE", "RENEW", "Leases"]

ACQUIRE = script_of("sluicegate.concurrency", "permit_acquire")
RELEASE = script_of("sluicegate.concurrency", "permit_release")
RENEW = script_of("sluicegate.concurrency", "permit_renew")

# So many ids go into one call, and so many releases that failed are tried again.
_MOST_IDS = 500
_MOST_LEAVING = 10_000


class Leases:
    """What one event loop holds by one limiter, and who waits in it; one timer renews all of it.

    There is no timer while nothing is held. A lease that is dropped is not renewed.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scripts: Scripts,
        *,
        limit: int,
        lease_seconds: float,
        timeout: float,
        complain: Callable[[str, StoreError], None],
    ) -> None:
        self.process = process()
        self._loop = ref(loop)
        self._scripts = scripts
        self._limit = str(limit)
        self._seconds = lease_seconds
        self.micros = str(round(lease_seconds * 1_000_000))
        self._timeout = timeout
        #: Who waits in this loop, by key.
        self.queues: dict[str, PermitQueue] = {}
        self._complain, self.complain_of_renewals = complain, Complaint()
        # Weak, as a lease that is dropped is given back, and takes itself out.
        self._held: dict[str, ref[Lease]] = {}
        #: Releases that the server did not answer: whose, and when their lease is over.
        self._leaving: dict[str, tuple[str, float]] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, key: str) -> Lease | float:
        """A lease; or the seconds, > 0, until the first of others would run out.

        Raises ``StoreError`` when the server does not answer.
        """
        lease = Lease(self, key)
        sent = monotonic()
        arguments = [lease.id, self._limit, self.micros]
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
        home = self if loop is self._loop() else None
        if home is not None:
            self._held.pop(lease_id, None)
            if not granted:
                self.not_released(key, [lease_id])
        reply = _Release(home, key, [lease_id], self._complain if granted else _nothing)
        self._scripts.send(loop, reply, RELEASE, key, reply.ids)
        return reply

    def give_back_soon(self, key: str, lease_id: str) -> None:
        """The same from any thread; not at all if the loop is closed."""
        loop = self._loop()
        if loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.give_back, key, lease_id)

    def wake(self, key: str) -> None:
        """A permit is free: who waits for it here may ask at once."""
        queue = self.queues.get(key)
        if queue is not None:
            queue.wake()

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
            *(self._renew(loop, key, ids, now) for key, ids in _batches(held)),
            *(self._release(loop, key, ids) for key, ids in _batches(leaving)),
        ]

    def _renew(
        self, loop: asyncio.AbstractEventLoop, key: str, ids: list[str], sent: float
    ) -> Taker:
        reply = _Renewal(self, ids, sent)
        timeout = min(self._timeout, self._seconds / 3)
        self._scripts.send(loop, reply, RENEW, key, [self.micros, *ids], timeout)
        return reply

    def renewed(self, lease_id: str, sent: float | None) -> None:
        """A lease began anew when it was ``sent``, or is lost."""
        known = self._held.get(lease_id) if sent is not None else self._held.pop(lease_id, None)
        lease = None if known is None else known()
        if lease is not None:
            lease.ends = 0.0 if sent is None else sent + self._seconds

    def _release(self, loop: asyncio.AbstractEventLoop, key: str, ids: list[str]) -> Taker:
        reply = _Release(self, key, ids, _nothing)
        self._scripts.send(loop, reply, RELEASE, key, ids)
        return reply

    def released(self, key: str, ids: list[str]) -> None:
        """The server has given back these."""
        if self._leaving:
            for lease_id in ids:
                self._leaving.pop(lease_id, None)
        self.wake(key)
        if not self._held and not self._leaving and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def not_released(self, key: str, ids: list[str]) -> None:
        """It may not have: they are given back again, as long as a lease may last."""
        until = monotonic() + self._seconds
        for lease_id in ids:
            if len(self._leaving) < _MOST_LEAVING:
                self._leaving.setdefault(lease_id, (key, until))
        self._arm()

    def _arm(self) -> None:
        """Have what is held renewed, and what is not given back given back again."""
        loop = self._loop()
        if self._timer is None and loop is not None and loop.is_running():
            self._timer = loop.call_later(self._seconds / 3, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self.process is process():
            self.renew()
            if self._held or self._leaving:
                self._arm()


class _Release(Taker):
    """Hears of a release. Without a home it was sent by another loop, which keeps no books."""

    __slots__ = ("_complain", "_home", "_key", "ids")

    def __init__(
        self,
        home: Leases | None,
        key: str,
        ids: list[str],
        complain: Callable[[str, StoreError], None],
    ) -> None:
        super().__init__()
        self._home, self._key, self.ids, self._complain = home, key, ids, complain

    def take(self, _: Any, /) -> None:
        if self._home is not None:
            self._home.released(self._key, self.ids)

    def miss(self, error: StoreError) -> None:
        what = "Permits are not given back to Redis, and free when their leases end"
        self._complain(what, error)
        if self._home is not None:
            self._home.not_released(self._key, self.ids)


class _Renewal(Taker):
    """Hears of a renewal that was sent at ``sent``."""

    __slots__ = ("_home", "_ids", "_sent")

    def __init__(self, home: Leases, ids: list[str], sent: float) -> None:
        super().__init__()
        self._home, self._ids, self._sent = home, ids, sent

    def take(self, reply: Any, /) -> None:
        for lease_id, live in zip(self._ids, reply, strict=True):
            self._home.renewed(lease_id, self._sent if live else None)

    def miss(self, error: StoreError) -> None:
        what = "Permits that are held are not renewed in Redis, and end with their leases"
        self._home.complain_of_renewals.make(what, error)


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
