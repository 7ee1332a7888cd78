"""The permits that threads hold in Redis; the core renews them while they do, without a thread more."""

from __future__ import annotations

from sluicegate._connection.blocking import may_block
from sluicegate._connection.waiter import ThreadWaiter
from sluicegate._core import Permit, RedisLimiter
from sluicegate._support.awaiting import at_once
from sluicegate.concurrency.lease import AnyLease, process
from sluicegate.concurrency.permit import Undecided
from sluicegate.concurrency.waiting import PermitLines

__all__ = ["ThreadLeases"]


class ThreadLeases:
    """What threads have of one limiter's permits. All its calls block."""

    def __init__(self, core: RedisLimiter, lines: PermitLines) -> None:
        self.core, self.process, self._lines = core, process(), lines

    def wait(self, key: str, seconds: float) -> Permit | float:
        """A permit within ``seconds``; or the seconds, > 0, until one may be free."""
        if not seconds:
            told = self._lines.told(key)
            return self.acquire(key) if told is None else told

        async def attempt() -> Permit | float:
            return self.acquire(key)

        return at_once(self._lines.served(key, attempt, ThreadWaiter, seconds))

    def acquire(self, key: str) -> Permit | float:
        """A permit; or the seconds, > 0, until one may be free."""
        lease = _ThreadLease(self, key)
        try:
            decision = self.core.ask("check", key, 1, lease.number)
        except BaseException:
            # It may have been acquired all the same.
            lease.is_over = True
            self._give_up(lease)
            raise
        if decision.store not in ("redis", "memory"):
            self.core.give_up(key, lease.number)  # the server may have granted it
        if decision:
            return Permit._leased(key, lease)  # noqa: SLF001
        lease.is_over = True
        return Undecided(1.0) if decision.store == "closed" else decision.retry_after

    def release(self, lease: _ThreadLease) -> None:
        """Give it back, and wait until the server knows, or does not answer in time."""
        if not self.core.leave(lease.key, lease.number):
            self.core.ask("give_up", lease.key, 1, lease.number)
        self._lines.wake(lease.key)

    def drop(self, lease: _ThreadLease) -> None:
        """Release what nobody holds, without waiting."""
        self._give_up(lease)
        self._lines.wake(lease.key)

    def _give_up(self, lease: _ThreadLease) -> None:
        if not self.core.leave(lease.key, lease.number):
            self.core.give_up(lease.key, lease.number)


class _ThreadLease(AnyLease["ThreadLeases"]):
    """A permit that its thread releases by blocking, so that nothing is to be awaited."""

    __slots__ = ()
    blocks = True

    def release(self) -> None:
        if not self.is_over and self.home.process is process():
            may_block("release")
            self.home.release(self)
            self.is_over = True
