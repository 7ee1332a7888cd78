"""The limiters' calls for threads without an event loop: Flask, Django, Celery, scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate._connection.blocking import may_block, must_not_wait
from sluicegate._connection.rights import ping
from sluicegate._connection.seconds import seconds_of
from sluicegate._connection.waiter import ThreadWaiter
from sluicegate._support.awaiting import at_once
from sluicegate.redis.waiting import OneCall

if TYPE_CHECKING:
    from sluicegate._connection.places import Places
    from sluicegate._connection.scripts import Scripts
    from sluicegate._core import Decision, Quota, RedisLimiter

__all__ = ["BlockingCalls"]


class BlockingCalls:
    """Each blocks its thread, and lets others run meanwhile; any number of threads may call them.

    They use the connections, deadline, ``on_error`` and counts of the coroutines that are named
    alike, and say and raise the same. In a thread in which an event loop runs they work, and hold
    that loop up for as long as they take; the log says so once.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        _core: RedisLimiter
        _places: Places[Decision]
        _scripts: Scripts

        def _commands(self) -> set[str]: ...

    def check_sync(self, key: str, cost: int = 1, *, quota: Quota | str | None = None) -> Decision:
        """``check`` that blocks its thread: decide now, and spend ``cost`` if it is admitted.

        ``quota`` decides this call in place of the limiter's own, as ``check`` takes it.

        Answers within ``timeout``, whatever the server does, for the cost of a round trip. One
        that a signal's handler interrupts, as Ctrl-C does, may have been spent.

        Raises ``TypeError`` or ``ValueError`` for a bad key, cost or quota, and with
        ``on_error="raise"`` :class:`~sluicegate.errors.StoreError`.
        """
        may_block("check_sync")
        return self._core.ask("check", key, cost, None, quota)

    def peek_sync(self, key: str, cost: int = 1, *, quota: Quota | str | None = None) -> Decision:
        """Whether :meth:`check_sync` would admit ``cost`` now. Spends nothing; raises the same."""
        may_block("peek_sync")
        return self._core.ask("peek", key, cost, None, quota)

    def reset_sync(self, key: str) -> None:
        """``reset`` that blocks its thread: forget ``key``."""
        may_block("reset_sync")
        self._core.ask("reset", key, 1)
        self._places.look_again(key)

    def wait_sync(
        self,
        key: str,
        cost: int = 1,
        timeout: float | None = None,
        *,
        quota: Quota | str | None = None,
    ) -> Decision:
        """Block this thread until admitted; refuse as soon as that would take over ``timeout``.

        It stands in one line with the threads and coroutines of this process that wait for the key
        at this limiter: first come, first served, as ``wait`` says. ``timeout`` is in
        seconds, ≥ 0, or ``None`` to wait as long as it takes. Ctrl-C ends it, and spends nothing
        but what a check that was on its way has spent. Each is decided by its own ``quota``.

        Raises as :meth:`check_sync`, and ``RuntimeError`` where an event loop runs: that would
        stand still.
        """
        seconds = seconds_of(timeout)
        self._core.examine(key, cost, quota)
        must_not_wait("wait_sync", "`await wait(…)`")

        async def check() -> Decision:
            return self._core.ask("check", key, cost, None, quota)

        async def peek() -> Decision:
            return self._core.ask("peek", key, cost, None, quota)

        waits = self._places.decided(OneCall(key, check, peek), ThreadWaiter, seconds)
        return at_once(waits)

    def ping_sync(self, timeout: float = 1.0) -> str:
        """``ping`` that blocks its thread: the server's name and version, within ``timeout`` seconds.

        Raises :class:`~sluicegate.errors.StoreError` as ``ping``; costs three round trips.
        """
        may_block("ping_sync")
        return at_once(ping(self._scripts.blocking(), self._commands(), timeout))

    def close(self) -> None:
        """Close the connection, unless other limiters use it. A later call opens it again."""
        self._core.close()
        self._scripts.close()
