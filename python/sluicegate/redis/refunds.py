"""What limiters in Redis give back: by receipt, or so many units."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from sluicegate._connection.blocking import may_block
from sluicegate._connection.bridge import bridge_of, planned, running_loop, then
from sluicegate._support.pending import to_be_awaited

if TYPE_CHECKING:
    from sluicegate._connection.places import Places
    from sluicegate._core import Decision, RedisLimiter

__all__ = ["Refunds"]


class Refunds:
    """The verb ``refund``, for coroutines and for threads."""

    __slots__ = ()

    if TYPE_CHECKING:
        _core: RedisLimiter
        _places: Places[Decision]

    @overload
    async def refund(self, key: str, cost: Decision, units: int | None = None) -> None: ...
    @overload
    async def refund(self, key: str, cost: int = 1) -> None: ...
    @to_be_awaited
    async def refund(self, key: str, cost: Any = 1, units: int | None = None) -> None:
        """Give back what a decision of this limiter spent of ``key``: ``refund(key, decision)``, or
        ``units`` of it, until all of it has come back.

        It gives back those very units while they count, and nothing after: of a log those of their
        microsecond, of a counter from the window that counted them, of segments from their part. A
        bucket gives back what is missing for their sake: all of it if nobody spent since, and never
        more than would be there had they not been spent. When the rate of a bucket or the window of
        a counter has changed, nothing comes back. Of a log it takes as long as there were calls
        since.

        ``refund(key, cost)`` is for those who kept no decision: it gives back the oldest units that
        still count, never above the quota, and cannot know whose they are: of 2 a minute, one spent
        at 59 s and given back at 61 s after two others lets a third pass in the second minute.
        Units that this limiter has admitted in the server's place (``store`` is ``"local"`` or
        ``"open"``) come first then: the server was not charged for them. It knows them for the last
        65,536 keys, as long as they would count. By receipt they are given back here, too.

        A receipt from before a ``reset`` of its key gives nothing back; nor does any older one once
        65,000 keys or so have been reset. If another process has reset it, a fixed window and a log
        know; a counter, segments and a bucket do not, and would free what was spent since.

        Seen at once here, where who waits for ``key`` asks again, and by other processes within one second
        (see ``remember``).

        Raises ``TypeError`` or ``ValueError`` for the arguments that :meth:`check` rejects;
        ``ValueError`` for a decision that is no receipt: a refusal, a copy, one of another limiter,
        process or key, one that has come back whole; and with ``on_error="raise"``
        :class:`~sluicegate.errors.StoreError`, after which nobody knows whether it came back: the
        receipt is used up.
        """
        loop = running_loop()
        bridge = bridge_of(loop)
        future: asyncio.Future[Decision] = loop.create_future()
        begun = self._core.begin_refund(bridge, future, key, cost, units)
        look_again = partial(self._places.look_again, key)
        await then(planned(loop, bridge, future, begun), look_again)

    @overload
    def refund_sync(self, key: str, cost: Decision, units: int | None = None) -> None: ...
    @overload
    def refund_sync(self, key: str, cost: int = 1) -> None: ...
    def refund_sync(self, key: str, cost: Any = 1, units: int | None = None) -> None:
        """``refund`` that blocks its thread: by receipt, ``refund_sync(key, decision)``, or ``cost`` units."""
        may_block("refund_sync")
        self._core.ask_refund(key, cost, units)
        self._places.look_again(key)
