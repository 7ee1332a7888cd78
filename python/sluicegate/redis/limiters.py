"""The same limiters with their state in Redis or Valkey, exact across processes.

``redis`` is a URL (``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``,
``redis+cluster://``) or a ``redis.asyncio`` client, whose settings are read.
"""

from __future__ import annotations

from typing import Any, overload

from sluicegate._connection.on_error import OnError
from sluicegate._core import Decision, Quota
from sluicegate._support.pending import to_be_awaited
from sluicegate.redis.bucket import TokenBucket
from sluicegate.redis.limiter import AsyncLimiter

__all__ = [
    "DistributedTokenBucket",
    "FixedWindow",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
]


def given(limit: Any, window_seconds: Any) -> tuple[Any, ...]:
    """The quota as it was given; the core checks it."""
    return (limit,) if window_seconds is ... else (limit, window_seconds)


class _Windowed(AsyncLimiter):
    """``limit`` units per window.

    Args:
        redis: where the state is; see :mod:`sluicegate.redis`.
        limit: units per window, 1 to 4,294,967,295 (the exact log: to 16,777,216); or a
            :class:`~sluicegate.Quota` or its text, such as ``"100/minute"``, instead of both.
        window_seconds: 0.000001 to 1,000,000,000, rounded to the microsecond.
        prefix: what keys begin with in Redis, up to 64 bytes; limiters with the same
            prefix share quotas. By default the algorithm and the quota, so that different
            limits count apart; give one, or a name, if the quota will change.
        name: what the limit is called, 1 to 64 letters, digits and ``_-.:/``, a letter first: keys
            begin with ``sluicegate:`` or the prefix, the algorithm, the name and the window, and
            not with the amount, so that a changed amount keeps what was spent.
        timeout: seconds within which every decision is made, 0.001 to 60.
        on_error: who decides when the server does not: ``"local"``, a limiter in this
            process that has seen what the server admitted here; ``"open"``, nobody, all are
            admitted; ``"closed"``, all are refused; ``"raise"``, the caller gets a
            :class:`StoreError`.
        workers: processes that share the quota; a local limiter has that part of it.
        remember: refuse a refused key here until its ``retry_after``, one second at most,
            without asking again: a flood from one client costs the server nothing.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = ()

    @overload
    def __init__(
        self,
        redis: object,
        limit: Quota | str,
        *,
        prefix: str | None = None,
        name: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self,
        redis: object,
        limit: int,
        window_seconds: float,
        *,
        prefix: str | None = None,
        name: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None: ...
    def __init__(
        self,
        redis: object,
        limit: Quota | str | int,
        window_seconds: Any = ...,
        *,
        prefix: str | None = None,
        name: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None:
        super().__init__(
            redis,
            given(limit, window_seconds),
            prefix=prefix,
            name=name,
            timeout=timeout,
            on_error=on_error,
            workers=workers,
            remember=remember,
        )

    @to_be_awaited
    async def is_allowed(
        self, key: str, cost: int = 1, *, quota: Quota | str | None = None
    ) -> Decision:
        """:meth:`check`; unpacks as ``(allowed, info)``."""
        return await self.check(key, cost, quota=quota)

    @overload
    async def set_quota(self, limit: Quota | str) -> None: ...
    @overload
    async def set_quota(self, limit: int, window_seconds: float) -> None: ...
    @to_be_awaited
    async def set_quota(self, limit: Quota | str | int, window_seconds: Any = ...) -> None:
        """Change the quota of every key, in this process; what was spent stays spent."""
        self._set_quota(given(limit, window_seconds))


class FixedWindow(_Windowed):
    __doc__ = f"""At most ``limit`` units in each window aligned to Unix time, or to a calendar.

    ``FixedWindow(URL, "1000/day in America/Los_Angeles")`` has the days of that zone by the
    server's clock: a call sends their bounds, and a second time where this machine's clock is
    more than a period off.

    {_Windowed.__doc__}"""
    __slots__ = ()
    _ALGORITHM = "fixed_window"


class SlidingWindowRateLimiter(_Windowed):
    __doc__ = f"At most ``limit`` units in any span of one window: exact.\n\n{_Windowed.__doc__}"
    __slots__ = ()
    _ALGORITHM = "sliding_log"


class SegmentedWindow(_Windowed):
    __doc__ = f"""At most ``limit`` units in any span of one window, each back one part late at most.

    The window is cut into 60 parts, so that a key stays small however large the limit is.

    {_Windowed.__doc__}"""
    __slots__ = ()
    _ALGORITHM = "segmented_window"


class SlidingWindowCounter(_Windowed):
    __doc__ = f"Approximates a sliding window from two counters.\n\n{_Windowed.__doc__}"
    __slots__ = ()
    _ALGORITHM = "sliding_counter"


DistributedTokenBucket = TokenBucket
