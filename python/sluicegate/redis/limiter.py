"""What the limiters in Redis have in common."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

from sluicegate._connection.bridge import bridge_of, planned, running_loop, then
from sluicegate._connection.on_error import OnError
from sluicegate._connection.places import Places
from sluicegate._connection.rights import commands_of, ping
from sluicegate._connection.scripts import Scripts
from sluicegate._connection.seconds import seconds_of
from sluicegate._connection.settings import settings_of
from sluicegate._connection.statistics import RedisStatistics
from sluicegate._connection.waiter import LoopWaiter
from sluicegate._core import Decision, Quota, RedisLimiter
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.pickling import MadeAnew
from sluicegate.redis.blocking import BlockingCalls
from sluicegate.redis.clearing import Clearing
from sluicegate.redis.prefix import windows_prefix
from sluicegate.redis.refunds import Refunds
from sluicegate.redis.several_keys import SeveralKeys
from sluicegate.redis.waiting import OneCall

if TYPE_CHECKING:
    from typing_extensions import Self

    from sluicegate._support.pickling import Plan

__all__ = ["AsyncLimiter", "OnError", "RedisStatistics"]


class AsyncLimiter(Refunds, Clearing, BlockingCalls, SeveralKeys, MadeAnew):
    """Base class of the limiters in Redis. One script, one key, one round trip a decision.

    Make one of the classes in :mod:`sluicegate.redis`. Use it from any number of event
    loops, threads and processes; all that share the server, ``prefix`` and key share a
    quota. Connections are made on first use and shared by limiters with equal settings.

    It is pickled for a process that multiprocessing starts, and made anew there; anywhere else
    pickling is a ``TypeError``, for it would write the server's password down. A copy is another
    limiter with the same settings.
    """

    __slots__ = ("__weakref__", "_core", "_made_of", "_places", "_quota", "_scripts")
    _ALGORITHM = ""
    _NEEDS_ASYNCIO = True

    def __init__(
        self,
        redis: object,
        quota: Any,
        *,
        prefix: str | None,
        name: str | None = None,
        timeout: float,
        on_error: OnError,
        workers: int,
        remember: bool,
    ) -> None:
        if not self._ALGORITHM:
            raise TypeError("AsyncLimiter is a base class: make one of sluicegate.redis")
        if not isinstance(remember, bool):
            raise TypeError(f"remember must be True or False, got {remember!r}")
        options: dict[str, Any] = {
            "prefix": self._prefix(quota, prefix, name),
            "timeout": timeout,
            "on_error": on_error,
            "workers": workers,
            "remember": remember,
        }
        settings = settings_of(redis)
        self._core = RedisLimiter(self._ALGORITHM, settings, quota, **options)
        self._scripts = Scripts(settings, options["prefix"], timeout)
        self._made_of = settings, options
        self._quota = quota
        self._places: Places[Decision] = Places(timeout)

    def _plan(self) -> Plan:
        settings, options = self._made_of
        return AsyncLimiter, (settings, self._quota), options

    def _set_quota(self, quota: Any) -> None:
        self._core.set_quota(quota)
        self._quota = quota
        self._places.look_again()

    def _counts_as(self, other: AsyncLimiter) -> bool:
        """Whether their keys begin alike."""
        return bool(self._made_of[1]["prefix"] == other._made_of[1]["prefix"])

    def _prefix(self, quota: Any, prefix: str | None, name: str | None) -> str:
        return windows_prefix(self._ALGORITHM, quota, prefix, name)

    @property
    def limit(self) -> int:
        """The quota's limit, or the bucket's capacity."""
        return self._core.limit

    @property
    def window_seconds(self) -> float:
        """The window's length; for a bucket, the seconds from empty to full."""
        return self._core.window_seconds

    @to_be_awaited
    async def check(self, key: str, cost: int = 1, *, quota: Quota | str | None = None) -> Decision:
        """Decide now, and spend ``cost`` from ``key`` if it is admitted.

        ``quota``, a :class:`~sluicegate.Quota` or its text, decides this call in place of the
        limiter's own: another amount, of the same window and unit (a bucket: another rate and
        burst). What was spent stays spent, whichever quota decides next; a call without one is
        decided by the limiter's own.

        Answers within ``timeout``, whatever the server does; ``Decision.store`` says who
        decided. A call that is cancelled may have been spent.

        Raises ``TypeError`` or ``ValueError`` for a bad key, cost or quota, and with
        ``on_error="raise"`` :class:`~sluicegate.errors.StoreError`.
        """
        loop = running_loop()
        bridge = bridge_of(loop)
        future: asyncio.Future[Decision] = loop.create_future()
        begun = self._core.begin(bridge, future, "check", key, cost, None, quota)
        if isinstance(begun, Decision):
            return begun
        if begun:
            loop.call_soon(bridge.flush)
        return await future

    @to_be_awaited
    async def peek(self, key: str, cost: int = 1, *, quota: Quota | str | None = None) -> Decision:
        """Whether :meth:`check` would admit ``cost`` now, and what is left. Spends nothing."""
        return await self._begun("peek", key, cost, quota)

    @to_be_awaited
    async def reset(self, key: str) -> None:
        """Forget ``key``: its whole quota is back, and who waits for it here asks again.

        Seen as :meth:`refund`.
        """
        await then(self._begun("reset", key, 1), partial(self._places.look_again, key))

    def _begun(
        self, verb: str, key: str, cost: int, quota: Quota | str | None = None
    ) -> asyncio.Future[Decision]:
        loop = running_loop()
        bridge = bridge_of(loop)
        future: asyncio.Future[Decision] = loop.create_future()
        begun = self._core.begin(bridge, future, verb, key, cost, None, quota)
        return planned(loop, bridge, future, begun)

    @to_be_awaited
    async def wait(
        self,
        key: str,
        cost: int = 1,
        timeout: float | None = None,
        *,
        quota: Quota | str | None = None,
    ) -> Decision:
        """Wait until admitted; refuse as soon as that would take over ``timeout`` seconds.

        Waiters of this limiter in this process, on any event loop and in any thread, are first come,
        first served for each key; another process, another limiter and plain checks compete with
        them. One whose event loop stands still for over a second is passed until it goes on. Who
        waits behind another is refused
        when the server has told that other a wait that is too long. ``timeout`` is in
        seconds, ≥ 0, or ``None`` to wait as long as it takes. Each waiter is decided by its own
        ``quota``, as :meth:`check` takes it; their order stays.
        """
        seconds = seconds_of(timeout)
        self._core.examine(key, cost, quota)
        running_loop()
        check, peek = (partial(ask, key, cost, quota=quota) for ask in (self.check, self.peek))
        return await self._places.decided(OneCall(key, check, peek), LoopWaiter, seconds)

    @to_be_awaited
    async def ping(self, timeout: float = 1.0) -> str:
        """Reach the server, within ``timeout`` seconds; returns its name and version.

        Raises :class:`~sluicegate.errors.StoreError` when it does not answer, is too old
        (before 6.2), or does not let its user run a command that this limiter needs, which
        is named. Does nothing to any key, and costs two round trips.
        """
        running_loop()
        return await ping(self._scripts, self._commands(), timeout)

    def _commands(self) -> set[str]:
        scripts = self._core.script, self._core.receipt_script or ""
        return commands_of(scripts) | {"unlink"}

    def statistics(self) -> RedisStatistics:
        """Counts of this process since the limiter was made, as a frozen object."""
        return RedisStatistics(*self._core.statistics())

    async def aclose(self) -> None:
        """:meth:`close`, as a coroutine."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"<{name} in Redis limit={self.limit} window_seconds={self.window_seconds}>"
