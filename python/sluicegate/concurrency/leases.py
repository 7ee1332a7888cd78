"""The permits of one event loop in Redis: renewed while held, and told of until the server knows."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from weakref import ref

from sluicegate._connection.bridge import bridge_of
from sluicegate._core import Decision, Permit, RedisLimiter
from sluicegate.concurrency.lease import Lease, process
from sluicegate.concurrency.permit import Undecided
from sluicegate.concurrency.waiting import PermitLines

__all__ = ["Leases"]


class Leases:
    """What one event loop has of one limiter's permits, and the timer that renews that.

    What is held, and until when, the core knows. There is no timer while nothing is held.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        core: RedisLimiter,
        lease_seconds: float,
        lines: PermitLines,
    ) -> None:
        self.core, self.process, self._lines = core, process(), lines
        self._loop = ref(loop)
        self._pause = lease_seconds / 3
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, key: str) -> Permit | float:
        """A permit; or the seconds, > 0, until one may be free."""
        loop = asyncio.get_running_loop()
        lease = Lease(self, key)
        future: asyncio.Future[Decision] = loop.create_future()
        try:
            begun = self._begin(loop, future, "check", lease)
            decision = await future if begun is None else begun
        except BaseException:
            # It may have been acquired all the same, before or after this.
            lease.is_over = True
            with suppress(RuntimeError, OSError):  # the loop does not run any more
                if not self.core.leave(key, lease.number):
                    self._give_up(loop, lease)
            raise
        store = decision.store
        if store != "redis" and begun is None:
            self._give_up(loop, lease)
        if decision:
            if self._timer is None and store == "redis":
                self._arm()
            return Permit._leased(key, lease)  # noqa: SLF001
        lease.is_over = True
        return Undecided(1.0) if store == "closed" else decision.retry_after

    def release(
        self, loop: asyncio.AbstractEventLoop, lease: Lease
    ) -> asyncio.Future[Decision] | None:
        """Send a release now, unless the permit was lent here."""
        if self.core.leave(lease.key, lease.number):
            return None
        future: asyncio.Future[Decision] = loop.create_future()
        self._begin(loop, future, "refund", lease)
        return future

    def drop(self, lease: Lease) -> None:
        """Release what nobody holds, from any thread; the server is told unless the loop is closed."""
        lent, loop = self.core.leave(lease.key, lease.number), self._loop()
        if lent:
            self._lines.wake(lease.key)
        elif loop is not None:
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._give_up, loop, lease)

    def released(self, loop: asyncio.AbstractEventLoop, key: str) -> None:
        """A permit is free, as far as the server can be told now; another loop keeps no books."""
        self._lines.wake(key)
        if loop is self._loop():
            self._rest()

    def renew(self) -> list[asyncio.Future[Decision]]:
        """Renew what is held, and release again what may not have been."""
        loop = asyncio.get_running_loop()
        bridge = bridge_of(loop)
        futures = self.core.renew(bridge, loop.create_future)
        bridge.flush()
        for future in futures:
            future.add_done_callback(self._rest)
        return futures

    def _give_up(self, loop: asyncio.AbstractEventLoop, lease: Lease) -> None:
        future: asyncio.Future[Decision] = loop.create_future()
        future.add_done_callback(lambda _: self.released(loop, lease.key))
        self._begin(loop, future, "give_up", lease)

    def _begin(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[Decision],
        verb: str,
        lease: Lease,
    ) -> Decision | None:
        bridge = bridge_of(loop)
        begun = self.core.begin(bridge, future, verb, lease.key, 1, lease.number)
        if begun is not True:
            return begun
        loop.call_soon(bridge.flush)
        return None

    def _rest(self, _: object = None) -> None:
        """Renew only as long as there is something to tell."""
        if not self.core.is_idle:
            if self._timer is None:
                self._arm()
        elif self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        loop = self._loop()
        if self._timer is None and loop is not None and loop.is_running():
            self._timer = loop.call_later(self._pause, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self.process is process() and self.renew():
            self._arm()
