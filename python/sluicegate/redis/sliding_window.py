"""The exact log in Redis by the names of the one in memory: answers are bools and numbers."""

from __future__ import annotations

from typing import Any, overload

from sluicegate._connection.on_error import OnError
from sluicegate._core import Quota
from sluicegate._support.pending import to_be_awaited
from sluicegate.redis.limiter import AsyncLimiter
from sluicegate.redis.limiters import given

__all__ = ["RedisSlidingWindowRateLimiter"]


class RedisSlidingWindowRateLimiter(AsyncLimiter):
    """The exact log in Redis, with the answers of the limiter in memory: bools and numbers.

    Args:
        redis: a client or a URL.
        max_requests: 1 to 16,777,216; or a :class:`~sluicegate.Quota` or its text.
        window_seconds, prefix, name, timeout, on_error, workers, remember: as
            :class:`FixedWindow`.
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
        max_requests: int = 100,
        window_seconds: float = 60,
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
        max_requests: Quota | str | int = 100,
        window_seconds: Any = ...,
        *,
        prefix: str | None = None,
        name: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None:
        if window_seconds is ... and isinstance(max_requests, int):
            window_seconds = 60
        super().__init__(
            redis,
            given(max_requests, window_seconds),
            prefix=prefix,
            name=name,
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
    async def is_allowed(
        self, client_id: str, cost: int = 1, *, quota: Quota | str | None = None
    ) -> bool:
        """:meth:`check` as a bool: decide now, and spend ``cost`` units if admitted."""
        return bool(await self.check(client_id, cost, quota=quota))

    @to_be_awaited
    async def get_remaining(self, client_id: str, *, quota: Quota | str | None = None) -> int:
        """Requests that this client has left now, of ``quota`` or the limiter's own.

        Spends nothing; costs a round trip.
        """
        return (await self.peek(client_id, 1, quota=quota)).remaining

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
        self._set_quota(given(max_requests, window_seconds))
