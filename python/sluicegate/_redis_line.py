"""Those who wait for one key of a limiter in Redis, in order."""

from __future__ import annotations

import asyncio
from typing import Any

from sluicegate._core import Decision

__all__ = ["Line", "refused", "seconds_of"]


class Line:
    """Those who wait for one key, in order."""

    __slots__ = ("_lock", "_owner", "length")

    def __init__(self) -> None:
        self.length = 0
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[Any] | None = None

    async def come_first(self, seconds: float) -> bool:
        """Whether that took no longer than ``seconds``."""
        if self._lock.locked():
            try:
                await asyncio.wait_for(
                    self._lock.acquire(), None if seconds == float("inf") else seconds
                )
            except asyncio.TimeoutError:
                return False
        else:
            await self._lock.acquire()
        self._owner = asyncio.current_task()
        return True

    def leave(self) -> None:
        if self._owner is asyncio.current_task():
            self._owner = None
            self._lock.release()


def seconds_of(timeout: object) -> float:
    if timeout is None:
        return float("inf")
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be an int or a float, got {type(timeout).__name__}")
    if not timeout >= 0:
        raise ValueError(f"timeout must be a number of seconds from 0, got {timeout!r}")
    return float(timeout)


def refused(decision: Decision) -> Decision:
    """The same as a refusal: others were first."""
    if not decision:
        return decision
    return Decision(
        False,
        decision.limit,
        decision.remaining,
        0.000001,
        decision.reset_after,
        decision.reset_at,
        decision.store,
    )
