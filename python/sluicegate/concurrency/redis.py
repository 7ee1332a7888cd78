"""At most so many at once, among all processes: permits in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any

from sluicegate._connection.blocking import may_block, must_not_wait
from sluicegate._connection.bridge import bridge_of, running_loop
from sluicegate._connection.on_error import OnError
from sluicegate._connection.rights import commands_of, ping
from sluicegate._connection.scripts import Scripts
from sluicegate._connection.settings import settings_of
from sluicegate._connection.statistics import RedisStatistics
from sluicegate._core import Decision, Permit, Quota, RedisLimiter
from sluicegate._support.arguments import (
    checked_key,
    checked_prefix,
    number,
    seconds_to_wait,
    whole,
)
from sluicegate._support.awaiting import at_once
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.per_loop import PerLoop
from sluicegate._support.pickling import MadeAnew
from sluicegate.concurrency.lease import process
from sluicegate.concurrency.leases import Leases
from sluicegate.concurrency.permit import Entry, Undecided
from sluicegate.concurrency.permit_queue import PermitQueue
from sluicegate.concurrency.thread_leases import ThreadLeases

__all__ = ["ConcurrencyLimiter"]


class ConcurrencyLimiter(MadeAnew):
    """At most ``limit`` permits are held at once for each key, by all processes together.

    A permit is leased: it is renewed while it is held, and free again ``lease_seconds``
    after its process died, stood still for so long, or lost the server for so long. It is
    free at once when it is released, also by a cancelled task. Taking one costs a round
    trip, and so does releasing it. A short key with one permit takes 80 bytes in Redis, and
    each of the next hundred some 30.

    Those of one event loop who wait for a key are first come, first served, and so are threads
    without one; those elsewhere compete with them, asking every 5 to 100 ms.

    Args:
        redis: where the permits are; see :mod:`sluicegate.redis`.
        limit: permits of each key, 1 to 1,000,000; or a :class:`~sluicegate.Quota` or its text,
            ``"5 concurrent"``.
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
        *("__weakref__", "_core", "_here", "_lease_seconds", "_limit", "_made_of"),
        *("_scripts", "_threads"),
    )

    def __init__(
        self,
        redis: object,
        limit: Quota | str | int,
        *,
        lease_seconds: float = 30.0,
        prefix: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
    ) -> None:
        if isinstance(limit, Quota | str):
            limit = Quota(limit)._permits()  # noqa: SLF001
        self._limit = whole("limit", limit, 1, 1_000_000)
        timeout = number("timeout", timeout, 0.001, 60, "seconds")
        self._lease_seconds = number("lease_seconds", lease_seconds, 0.001, 86_400, "seconds")
        if self._lease_seconds <= timeout:
            raise ValueError(
                f"lease_seconds must be above timeout, which is {timeout}, got {lease_seconds}"
            )
        name = f"sluicegate:permits:{limit}" if prefix is None else checked_prefix(prefix)
        settings = settings_of(redis)
        options: dict[str, Any] = {"prefix": name, "timeout": timeout, "on_error": on_error}
        options["workers"] = workers
        quota = limit, self._lease_seconds
        self._core = RedisLimiter("permits", settings, quota, **options, remember=False)
        self._scripts = Scripts(settings, name, timeout)
        self._made_of = (settings, limit), {"lease_seconds": lease_seconds, **options}
        self._here: PerLoop[Leases] = PerLoop()
        self._threads = ThreadLeases(self._core)

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
        """A context manager that holds a permit: ``async with`` or ``with``, once at a time.

        Entering waits ``timeout`` seconds at most, 0 to 1,000,000,000, or as long as it
        takes for ``None``; ``with`` blocks its thread, and is a ``RuntimeError`` where an event
        loop runs. When no permit is free in time it raises
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
        loop = running_loop()
        future: asyncio.Future[Decision] = loop.create_future()
        bridge = bridge_of(loop)
        if self._core.begin(bridge, future, "in_use", checked_key(key), 1) is True:
            loop.call_soon(bridge.flush)
        decision = await future
        return decision.limit - decision.remaining

    @to_be_awaited
    async def ping(self, timeout: float = 1.0) -> str:
        """Reach the server, within ``timeout`` seconds; returns its name and version.

        Takes no permit. Raises :class:`~sluicegate.errors.StoreError` when it does not answer,
        is older than 6.2, or does not run a command that permits need, which is named.
        """
        return await ping(self._scripts, self._commands(), timeout)

    def try_acquire_sync(self, key: str) -> Permit | None:
        """:meth:`try_acquire` that blocks its thread, and whose permit's ``release`` does so too."""
        return got if isinstance(got := self._try_acquire_sync(key), Permit) else None

    def _try_acquire_sync(self, key: str) -> Permit | Undecided | None:
        may_block("try_acquire_sync")
        got = self._by_threads().wait(checked_key(key), 0)
        return got if isinstance(got, (Permit, Undecided)) else None

    def in_use_sync(self, key: str) -> int:
        """:meth:`in_use` that blocks its thread."""
        may_block("in_use_sync")
        decision = self._core.ask("in_use", checked_key(key), 1)
        return decision.limit - decision.remaining

    def ping_sync(self, timeout: float = 1.0) -> str:
        """:meth:`ping` that blocks its thread."""
        may_block("ping_sync")
        return at_once(ping(self._scripts.blocking(), self._commands(), timeout))

    def statistics(self) -> RedisStatistics:
        """Counts of this process since the limiter was made: of permits that were asked for."""
        return RedisStatistics(*self._core.statistics())

    def _commands(self) -> set[str]:
        return commands_of([self._core.script, RedisLimiter.renewal()])

    def close(self) -> None:
        """Close the connection, unless others use it. A later call opens it again.

        Permits that are held stay so.
        """
        self._core.close()
        self._scripts.close()

    async def aclose(self) -> None:
        """:meth:`close`, as a coroutine."""
        self.close()

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
        return Leases(loop, self._core, self._lease_seconds)

    def _by_threads(self) -> ThreadLeases:
        here = self._threads
        if here.process is not process():
            here = self._threads = ThreadLeases(self._core)
        return here

    def _block(self, key: str, seconds: float) -> Permit | float:
        must_not_wait("`with permit(…)`", "`async with`")
        return self._by_threads().wait(key, seconds)

    def _acquire(self, key: str, seconds: float) -> Coroutine[Any, Any, Permit | float]:
        """A permit; or seconds, > 0, until one may be free."""
        here = self._now_here()
        if not seconds and not here.queues.get(key):
            return here.acquire(key)
        return self._in_queue(here, key, seconds)

    async def _in_queue(self, here: Leases, key: str, seconds: float) -> Permit | float:
        queue = here.queues.setdefault(key, PermitQueue())
        if not seconds:
            return queue.told
        try:
            return await queue.served(partial(here.acquire, key), seconds)
        finally:
            if not queue:
                here.queues.pop(key, None)
