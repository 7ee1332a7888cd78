"""Replies that nobody needs to await."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

from sluicegate.errors import StoreError

__all__ = ["Taker"]


class Taker:
    """Does something with a reply, be it awaited or not; to cancel who awaits changes nothing."""

    __slots__ = ("_ended", "_is_over")

    def __init__(self) -> None:
        self._is_over = False
        self._ended: asyncio.Future[None] | None = None

    def take(self, reply: Any, /) -> None:
        """There is a reply."""
        raise NotImplementedError

    def miss(self, error: StoreError) -> None:
        """There is none."""
        raise NotImplementedError

    def set_result(self, reply: Any) -> None:
        try:
            self.take(reply)
        finally:
            self._end()

    def set_exception(self, error: StoreError) -> None:
        try:
            self.miss(error)
        finally:
            self._end()

    def done(self) -> bool:
        """False: it can always take a reply, and what it raises is to be told."""
        return False

    def __await__(self) -> Generator[Any, None, None]:
        return self.taken().__await__()

    async def taken(self) -> None:
        """Until that was done, or failed."""
        if not self._is_over:
            if self._ended is None or self._ended.done():
                self._ended = asyncio.get_running_loop().create_future()
            await self._ended

    def _end(self) -> None:
        self._is_over = True
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(None)
