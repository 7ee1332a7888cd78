"""At most so many at once, among all processes of a host: permits in a zone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate import _core
from sluicegate._connection.blocking import must_not_wait
from sluicegate._core import ManualClock, Permit, Quota, Zone
from sluicegate._support.arguments import (
    checked_clock,
    checked_key,
    number,
    seconds_to_wait,
)
from sluicegate._support.awaiting import at_once
from sluicegate._support.per_loop import PerLoop
from sluicegate._support.single import Single
from sluicegate._zone.renewing import renewed
from sluicegate._zone.store import zone_of
from sluicegate.concurrency.permit import Entry
from sluicegate.concurrency.permit_queue import PermitQueue
from sluicegate.concurrency.permit_threads import in_line, permits_in_line
from sluicegate.gate.limit import checked_name

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ConcurrencyLimiter"]


class ConcurrencyLimiter(Single, _core.ZonePermits):
    """At most ``limit`` permits are held at once for each key, by all processes of the host together.

    A permit is leased: it is renewed while it is held, and free again when ``lease_seconds``, or up to
    a quarter more, have passed since its process died or stood still. It is free at once when it is
    released, also by a cancelled task. Neither takes a lock or waits for another process. 32 bytes a
    key, however many permits are held.

    Those of one event loop who wait for a key are first come, first served, and so are threads without
    one. There is no wake-up between processes: the first of each asks again every 5 to 100 ms.

    Args:
        store: the zone: its URL, ``"shared:///run/app/limits.zone?size=10m"`` or ``"shared:name"``, or
            a :class:`Zone`.
        limit: permits of each key, 1 to 65,535; or a :class:`~sluicegate.Quota` or its text,
            ``"5 concurrent"``.
        lease_seconds: 0.001 to 86,400; renewed after each third of it, by a thread of this process. A
            changed lease is another limit.
        name: what the limit is called, 1 to 64 printable ASCII characters. The number is no part of it.
        clock: a :class:`~sluicegate.testing.ManualClock` for tests, with which nothing is renewed.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
        StoreError: the file or the machine does not allow a zone there; the message says why.
    """

    __slots__ = ("_made_of", "_queues")
    _made_of: tuple[Any, ...]
    _queues: PerLoop[dict[str, PermitQueue]]

    def __new__(
        cls,
        store: str | Zone,
        limit: Quota | str | int,
        *,
        lease_seconds: float = 30.0,
        name: str,
        clock: ManualClock | None = None,
    ) -> Self:
        lease = number("lease_seconds", lease_seconds, 0.001, 86_400, "seconds")
        checked_name("name", name)
        checked_clock(clock)
        made = super().__new__(cls, zone_of(store), name, limit, lease_seconds=lease, clock=clock)
        made._made_of = store, limit, {"lease_seconds": lease, "name": name, "clock": clock}
        made._queues = PerLoop()
        return made

    def try_acquire(self, key: str) -> Permit | None:
        """A permit, or ``None`` if none is free now. Release it, or use it in a ``with``.

        Raises ``TypeError`` if ``key`` is no str.
        """
        permit = super().try_acquire(key)
        if permit is not None and self._made_of[2]["clock"] is None:
            renewed(self, self.lease_seconds / 3)
        return permit

    def permit(self, key: str, timeout: float | None = 0) -> Entry:
        """A context manager that holds a permit: ``async with`` or ``with``, once at a time.

        Entering waits ``timeout`` seconds at most, 0 to 1,000,000,000, or as long as it takes for
        ``None``; ``with`` blocks its thread, and is a ``RuntimeError`` where an event loop runs and it
        would have to wait. When no permit is free in time it raises
        :class:`~sluicegate.RateLimitError`; in its ``retry_after`` seconds one is free at the latest,
        if its lease is not renewed.

        Raises ``TypeError`` or ``ValueError`` for a bad key or timeout.
        """
        return _Entry(self, checked_key(key), seconds_to_wait(timeout))

    def ping_sync(self, timeout: float = 1.0) -> str:
        """``"shared"``: the zone is in memory, and there is no server to reach."""
        number("timeout", timeout, 0, 60, "seconds")
        return "shared"

    def close(self) -> None:
        """Nothing to close: permits that are held stay so, and the zone's file stays."""

    try_acquire_sync = try_acquire
    in_use_sync = _core.ZonePermits.in_use

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        kind, (store, limit, options) = type(self), self._made_of
        if options["clock"] is not None:
            raise TypeError(
                f"a {kind.__name__} with a ManualClock cannot be pickled: the clock is in this process"
            )
        return _made_again, (kind, store, limit, options)

    def __repr__(self) -> str:
        name = self._made_of[2]["name"]
        return f"<{type(self).__name__} in a zone name={name!r} limit={self.limit}>"

    def _attempt(self, key: str) -> Permit | float:
        """A permit; or the seconds, > 0, until one may be free."""
        permit = self.try_acquire(key)
        return self._retry_after(key) if permit is None else permit

    def _block(self, key: str, seconds: float) -> Permit | float:
        waiting = permits_in_line(self, key)
        if not seconds:
            return self._attempt(key) if waiting is None else waiting.told
        must_not_wait("`with permit(…)`", "`async with`")

        async def attempt() -> Permit | float:
            return self._attempt(key)

        with in_line(self, key) as (queue, waiter):
            return at_once(queue.first_served(waiter, attempt, seconds))

    async def _acquire(self, key: str, seconds: float) -> Permit | float:
        queues = self._queues.here(asyncio.get_running_loop(), dict)
        queue = queues.get(key)
        if not seconds:
            return queue.told if queue else self._attempt(key)
        queue = queues.setdefault(key, PermitQueue())

        async def attempt() -> Permit | float:
            return self._attempt(key)

        try:
            return await queue.served(attempt, seconds)
        finally:
            if not queue:
                queues.pop(key, None)

    def _released(self, key: str) -> None:
        """A permit is free: who waits for it here may ask at once."""
        loop = asyncio._get_running_loop()  # noqa: SLF001
        queues = None if loop is None else self._queues.find(loop)
        here = None if queues is None else queues.get(key)
        for queue in (here, permits_in_line(self, key)):
            if queue is not None:
                queue.wake()


class _Entry(Entry):
    """A block, at whose end those are woken who wait in this process."""

    __slots__ = ()
    _limiter: ConcurrencyLimiter

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self._limiter._released(self._key)  # noqa: SLF001

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        self._limiter._released(self._key)  # noqa: SLF001


def _made_again(kind: Any, store: object, limit: Any, options: dict[str, Any]) -> Any:
    return kind(store, limit, **options)
