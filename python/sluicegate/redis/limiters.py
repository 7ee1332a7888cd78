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
    "RedisSlidingWindowRateLimiter",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
]


def _given(limit: Any, window_seconds: Any) -> tuple[Any, ...]:
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
            limits count apart; give one if the quota will change.
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
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None:
        super().__init__(
            redis,
            _given(limit, window_seconds),
            prefix=prefix,
            timeout=timeout,
            on_error=on_error,
            workers=workers,
            remember=remember,
        )

    @to_be_awaited
    async def is_allowed(self, key: str, cost: int = 1) -> Decision:
        """:meth:`check`; unpacks as ``(allowed, info)``."""
        return await self.check(key, cost)

    @overload
    async def set_quota(self, limit: Quota | str) -> None: ...
    @overload
    async def set_quota(self, limit: int, window_seconds: float) -> None: ...
    @to_be_awaited
    async def set_quota(self, limit: Quota | str | int, window_seconds: Any = ...) -> None:
        """Change the quota of every key, in this process; what was spent stays spent."""
        self._set_quota(_given(limit, window_seconds))


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


class RedisSlidingWindowRateLimiter(AsyncLimiter):
    """The exact log in Redis, with the answers of the limiter in memory: bools and numbers.

    Args:
        redis: a client or a URL.
        max_requests: 1 to 16,777,216; or a :class:`~sluicegate.Quota` or its text.
        window_seconds, prefix, timeout, on_error, workers, remember: as :class:`FixedWindow`.
    """

    __slots__ = ()
    _ALGORITHM = "sliding_log"

    @overload
    def __init__(
        self,
        redis: object,
        max_requests: Quota | str,
        *,
        prefix: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self,
        redis: object,
        max_requests: int = 100,
        window_seconds: float = 60,
        *,
        prefix: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None: ...
    def __init__(
        self,
        redis: object,
        max_requests: Quota | str | int = 100,
        window_seconds: Any = ...,
        *,
        prefix: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None:
        if window_seconds is ... and isinstance(max_requests, int):
            window_seconds = 60
        super().__init__(
            redis,
            _given(max_requests, window_seconds),
            prefix=prefix,
            timeout=timeout,
            on_error=on_error,
            workers=workers,
            remember=remember,
        )

    @property
    def max_requests(self) -> int:
        """The quota's limit in requests: ``limit`` by its other name."""
        return self.limit

    @to_be_awaited
    async def is_allowed(self, client_id: str, cost: int = 1) -> bool:
        """:meth:`check` as a bool: decide now, and spend ``cost`` units if admitted."""
        return bool(await self.check(client_id, cost))

    @to_be_awaited
    async def get_remaining(self, client_id: str) -> int:
        """Requests that this client has left now. Spends nothing; costs a round trip."""
        return (await self.peek(client_id)).remaining

    @to_be_awaited
    async def get_reset_time(self, client_id: str) -> float:
        """Unix time in seconds at which the client's first slot frees; now + window if unseen.

        Costs a round trip.
        """
        return (await self._begun("first_free", client_id, 1)).reset_at

    @overload
    async def set_quota(self, max_requests: Quota | str) -> None: ...
    @overload
    async def set_quota(self, max_requests: int, window_seconds: float) -> None: ...
    @to_be_awaited
    async def set_quota(self, max_requests: Quota | str | int, window_seconds: Any = ...) -> None:
        """Change the quota of every key, in this process; what was spent stays spent."""
        self._set_quota(_given(max_requests, window_seconds))
