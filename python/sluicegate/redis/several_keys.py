"""Many keys at once, each decided by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sluicegate._connection.blocking import may_block
from sluicegate._support.pending import to_be_awaited

if TYPE_CHECKING:
    from sluicegate._core import Decision, Quota, RedisLimiter

__all__ = ["SeveralKeys"]


class SeveralKeys:
    """The calls of a limiter that take several keys."""

    __slots__ = ()

    if TYPE_CHECKING:
        _core: RedisLimiter

        def _begun(
            self, verb: str, key: str, cost: int, quota: Quota | str | None = None
        ) -> asyncio.Future[Decision]: ...

    @to_be_awaited
    async def check_many(
        self, keys: Iterable[str], cost: int = 1, *, quota: Quota | str | None = None
    ) -> list[Decision]:
        """:meth:`check` for each key, in their order; nothing is atomic between keys.

        A server that may not load scripts for this user (``script|load``), or whose scripts were
        flushed since it was connected, decides the first calls of a class in any order.

        They are sent in chunks of 500, one after the other (smaller ones where ``timeout`` is
        below 0.25: of 2,000 keys a second of it). Each chunk is decided within ``timeout``, so
        that 30,000 keys take 60 times ``timeout`` at the most, and as long as the server needs
        if it is well. A call that is cancelled sends no further chunk; the one that is on its
        way may have been spent.

        Raises as :meth:`check`; a bad key, cost or quota before anything is spent.
        """
        decisions: list[Decision] = []
        for chunk in self._chunks(keys, cost, quota):
            begun = [self._begun("check", name, cost, quota) for name in chunk]
            decisions += await asyncio.gather(*begun)
        return decisions

    def check_many_sync(
        self, keys: Iterable[str], cost: int = 1, *, quota: Quota | str | None = None
    ) -> list[Decision]:
        """``check_many`` that blocks its thread: a check for each key, in their order.

        They are sent in chunks of 500 and fewer, each decided within ``timeout``. Raises as
        :meth:`check_sync`; a bad key, cost or quota before anything is spent.
        """
        may_block("check_many_sync")
        decisions: list[Decision] = []
        for chunk in self._chunks(keys, cost, quota):
            decisions += self._core.ask_many(chunk, cost, quota)
        return decisions

    def _chunks(
        self, keys: Iterable[str], cost: int, quota: Quota | str | None
    ) -> Iterator[list[str]]:
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            kind = type(keys).__name__
            raise TypeError(f"keys must be an iterable of str, not one {kind}, got {keys!r}")
        names = list(keys)
        for name in names:
            self._core.examine(name, cost, quota)
        size = self._core.chunk
        return (names[first : first + size] for first in range(0, len(names), size))
