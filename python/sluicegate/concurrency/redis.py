"""At most so many at once, among all processes: permits in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, NoReturn, get_args

from sluicegate._connection.bridge import running_loop
from sluicegate._connection.notices import Complaint
from sluicegate._connection.on_error import OnError
from sluicegate._connection.rights import commands_of, ping
from sluicegate._connection.scripts import Scripts
from sluicegate._connection.settings import settings_of
from sluicegate._connection.wait_queue import PermitQueue
from sluicegate._core import Permit
from sluicegate._support import limits_off
from sluicegate._support.arguments import (
    checked_key,
    checked_prefix,
    number,
    seconds_to_wait,
    whole,
)
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.per_loop import PerLoop
from sluicegate._support.pickling import MadeAnew
from sluicegate.concurrency import memory as concurrency
from sluicegate.concurrency.lease import Lease, Loan
from sluicegate.concurrency.leases import ACQUIRE, RELEASE, RENEW, Leases
from sluicegate.concurrency.permit import Entry, Undecided
from sluicegate.errors import StoreError

__all__ = ["ConcurrencyLimiter"]


class ConcurrencyLimiter(MadeAnew):
    """At most ``limit`` permits are held at once for each key, by all processes together.

    A permit is leased: it is renewed while it is held, and free again ``lease_seconds``
    after its process died, stood still for so long, or lost the server for so long. It is
    free at once when it is released, also by a cancelled task. Taking one costs a round
    trip, and so does releasing it. A short key with one permit takes 80 bytes in Redis, and
    each of the next hundred some 30.

    Those of one event loop who wait for a key are first come, first served; those elsewhere
    compete with them, asking every 5 to 100 ms.

    Args:
        redis: where the permits are; see :mod:`sluicegate.redis`.
        limit: permits of each key, 1 to 1,000,000.
        lease_seconds: above ``timeout``, to 86,400; renewed after each third of it.
        prefix: what keys begin with in Redis, up to 64 bytes. By default the limit, so
            that different limits count apart.
        timeout: seconds within which the server is to answer, 0.001 to 60.
        on_error: who decides when it does not: ``"local"``, a limiter in this process;
            ``"open"``, nobody, all get a permit; ``"closed"``, nobody gets one; ``"raise"``,
            the caller gets a :class:`StoreError`.
        workers: processes that share the limit; a local limiter has that part of it, and
            at least one permit.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    _NEEDS_ASYNCIO = True
    __slots__ = (
        *("__weakref__", "_complaint", "_here", "_lease_seconds", "_limit", "_local"),
        *("_made_of", "_on_error", "_scripts", "_timeout"),
    )

    def __init__(
        self,
        redis: object,
        limit: int,
        *,
        lease_seconds: float = 30.0,
        prefix: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
    ) -> None:
        self._limit = whole("limit", limit, 1, 1_000_000)
        self._timeout = number("timeout", timeout, 0.001, 60, "seconds")
        self._lease_seconds = number("lease_seconds", lease_seconds, 0.001, 86_400, "seconds")
        if self._lease_seconds <= self._timeout:
            raise ValueError(
                f"lease_seconds must be above timeout, which is {timeout}, got {lease_seconds}"
            )
        if on_error not in get_args(OnError):
            raise ValueError(f"on_error must be one of {get_args(OnError)}, got {on_error!r}")
        self._on_error: OnError = on_error
        share = self._limit // whole("workers", workers, 1, 1_000_000)
        self._local = concurrency.ConcurrencyLimiter(max(1, share))
        name = f"sluicegate:permits:{limit}" if prefix is None else checked_prefix(prefix)
        settings = settings_of(redis)
        self._scripts = Scripts(settings, name, self._timeout)
        options = {"prefix": name, "timeout": timeout, "on_error": on_error, "workers": workers}
        self._made_of = (settings, limit), {"lease_seconds": lease_seconds, **options}
        self._here: PerLoop[Leases] = PerLoop()
        self._complaint = Complaint()

    def _plan(self) -> Any:
        return ConcurrencyLimiter, *self._made_of

    @property
    def limit(self) -> int:
        """How many permits a key has."""
        return self._limit

    @property
    def lease_seconds(self) -> float:
        """How long a permit outlives a holder that dies."""
        return self._lease_seconds

    @to_be_awaited
    async def try_acquire(self, key: str) -> Permit | None:
        """A permit, or ``None`` if none is free now. Release it, or use it in ``async with``.

        Raises ``TypeError`` if ``key`` is no str, and with ``on_error="raise"``
        :class:`~sluicegate.errors.StoreError`.
        """
        got = await self._acquire(checked_key(key), 0)
        return got if isinstance(got, Permit) else None

    async def _try_acquire(self, key: str) -> Permit | Undecided | None:
        got = await self._acquire(checked_key(key), 0)
        return got if isinstance(got, (Permit, Undecided)) else None

    def permit(self, key: str, timeout: float | None = 0) -> Entry:
        """A context manager that holds a permit: ``async with``, once at a time.

        Entering waits ``timeout`` seconds at most, 0 to 1,000,000,000, or as long as it
        takes for ``None``. When no permit is free in time it raises
        :class:`~sluicegate.RateLimitError`; in its ``retry_after`` seconds one is free at
        the latest, if its lease is not renewed.

        Raises ``TypeError`` or ``ValueError`` for a bad key or timeout, and when entered
        with ``on_error="raise"`` :class:`~sluicegate.errors.StoreError`.
        """
        return Entry(self, checked_key(key), seconds_to_wait(timeout))

    @to_be_awaited
    async def in_use(self, key: str) -> int:
        """How many permits of ``key`` are live now, of all processes.

        Raises :class:`~sluicegate.errors.StoreError` when the server does not answer.
        """
        return await self._now_here().count(checked_key(key))

    @to_be_awaited
    async def ping(self, timeout: float = 1.0) -> str:
        """Reach the server, within ``timeout`` seconds; returns its name and version.

        Takes no permit. Raises :class:`~sluicegate.errors.StoreError` when it does not answer,
        is older than 6.2, or does not run a command that permits need, which is named.
        """
        return await ping(self._scripts, self._commands(), timeout)

    def _commands(self) -> set[str]:
        return commands_of(script.text for script in (ACQUIRE, RELEASE, RENEW))

    async def aclose(self) -> None:
        """Close the connection, unless others use it. A later call opens it again.

        Permits that are held stay so.
        """
        self._scripts.close()

    async def __aenter__(self) -> ConcurrencyLimiter:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"<ConcurrencyLimiter in Redis limit={self._limit}>"

    def _now_here(self) -> Leases:
        loop = running_loop()
        here = self._here.find(loop)
        return self._here.here(loop, partial(self._new_here, loop)) if here is None else here

    def _new_here(self, loop: asyncio.AbstractEventLoop) -> Leases:
        return Leases(
            loop,
            self._scripts,
            limit=self._limit,
            lease_seconds=self._lease_seconds,
            timeout=self._timeout,
            complain=self._complaint.make,
        )

    def _block(self, *_: object) -> NoReturn:
        raise TypeError("a permit in Redis takes time to acquire: use `async with`")

    def _acquire(self, key: str, seconds: float) -> Coroutine[Any, Any, Permit | float]:
        """A permit; or seconds, > 0, until one may be free."""
        here = self._now_here()
        queue = here.queues.get(key)
        if not queue and not seconds:
            return self._attempt(here, key)
        return self._in_queue(here, key, seconds)

    async def _in_queue(self, here: Leases, key: str, seconds: float) -> Permit | float:
        queue = here.queues.setdefault(key, PermitQueue())
        if not seconds:
            return queue.told
        try:
            return await queue.served(partial(self._attempt, here, key), seconds)
        finally:
            if not queue:
                here.queues.pop(key, None)

    async def _attempt(self, here: Leases, key: str) -> Permit | float:
        if limits_off.are_off():
            return self._lent(key, self._local._uncounted(key))  # noqa: SLF001
        try:
            got = await here.acquire(key)
        except StoreError as error:
            return self._without_server(key, error)
        return Permit._leased(key, got) if isinstance(got, Lease) else got  # noqa: SLF001

    def _without_server(self, key: str, error: StoreError) -> Permit | float:
        if self._on_error == "raise":
            raise error
        self._complaint.make("Permits are decided by on_error, not by Redis", error)
        if self._on_error == "open":
            return self._lent(key, self._local._uncounted(key))  # noqa: SLF001
        if self._on_error == "closed":
            return Undecided(1.0)  # nobody knows how long
        # This process alone never holds more than the limit, with what it has from Redis.
        held = sum(here.held(key) for here in self._here.all())
        room = held + self._local.in_use(key) < self._limit
        permit = self._local.try_acquire(key) if room else None
        return 1.0 if permit is None else self._lent(key, permit)

    def _lent(self, key: str, permit: Permit) -> Permit:
        return Permit._leased(key, Loan(permit, partial(self._wake, key)))  # noqa: SLF001

    def _wake(self, key: str) -> None:
        self._now_here().wake(key)
