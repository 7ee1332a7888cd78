"""The token bucket in Redis."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, overload

from sluicegate._connection.on_error import OnError
from sluicegate._core import Decision, Quota, TokenBucketConfig
from sluicegate._support.acquiring import key_and_tokens
from sluicegate._support.pending import to_be_awaited
from sluicegate.redis.limiter import AsyncLimiter

__all__ = ["TokenBucket"]


class TokenBucket(AsyncLimiter):
    """Bursts up to ``capacity``, ``refill_rate`` tokens a second on average.

    ``TokenBucket(URL, "10/second burst 100")``, ``TokenBucket(URL, 100, 10)``,
    ``TokenBucket(URL, capacity=100, refill_rate=10)`` or
    ``TokenBucket(URL, TokenBucketConfig(100, 10))``. A changed quota keeps the time at which a
    bucket is full.

    Args:
        config: the capacity; or a :class:`~sluicegate.Quota` or its text, or a
            :class:`~sluicegate.TokenBucketConfig`, instead of the next two, whose buckets begin
            full: no server knows since when a client that it has no record of has been refilling.
        capacity: most tokens of a key, 1 to 4,294,967,295.
        refill_rate: tokens per second and key, 1e-9 to 1e12.
        redis, prefix, timeout, on_error, workers, remember: as
            :class:`~sluicegate.redis.FixedWindow`.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __module__ = "sluicegate.redis"  # where it is imported from
    __slots__ = ()
    _ALGORITHM = "token_bucket"

    def __init__(
        self,
        redis: object,
        config: TokenBucketConfig | Quota | str | int | None = None,
        refill_rate: float | None = None,
        *,
        capacity: int | None = None,
        prefix: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None:
        super().__init__(
            redis,
            _config(config, refill_rate, capacity),
            prefix=prefix,
            timeout=timeout,
            on_error=on_error,
            workers=workers,
            remember=remember,
        )

    def _prefix(self, quota: Any) -> str:
        return f"sluicegate:{self._ALGORITHM}:{quota.capacity}@{quota.refill_rate}"

    @property
    def config(self) -> TokenBucketConfig:
        """The configuration in force."""
        config: TokenBucketConfig = self._quota
        return config

    if TYPE_CHECKING:

        @overload
        def acquire(self, key: str, tokens: int = 1) -> Coroutine[Any, Any, Decision]: ...
        @overload
        def acquire(self, tokens: int, key: str) -> Coroutine[Any, Any, Decision]: ...
        def acquire(self, *args: Any, **kwargs: Any) -> Any:
            """Take tokens now or be refused now; by position a ``str`` is the key."""

    else:

        @to_be_awaited
        async def acquire(self, *by_position, key=..., tokens=...):
            """Take tokens now or be refused now: :meth:`check`; unpacks as ``(allowed, info)``.

            ``acquire("llm")``, ``acquire("llm", 5)``, ``acquire(5, "llm")`` or
            ``acquire(key="llm", tokens=5)``: by position a ``str`` is the key and an ``int`` the
            tokens, 1 unless given.

            Raises ``TypeError`` or ``ValueError`` for the arguments that :meth:`check` rejects.
            """
            key, tokens = key_and_tokens(by_position, key, tokens)
            if key is ...:
                raise TypeError("acquire needs a key, a str, as in acquire('llm', 5)")
            return await self.check(key, tokens)

    @to_be_awaited
    async def set_quota(
        self,
        config: TokenBucketConfig | Quota | str | int | None = None,
        refill_rate: float | None = None,
        *,
        capacity: int | None = None,
    ) -> None:
        """Change the quota of every key, in this process; its arguments are as the class takes them.

        Raises ``TypeError`` or ``ValueError`` for one out of its range; nothing has changed then.
        """
        self._set_quota(_config(config, refill_rate, capacity))


def _config(first: Any, refill_rate: float | None, capacity: int | None) -> TokenBucketConfig:
    """The configuration that the arguments are: itself, if it is given as one."""
    if isinstance(first, TokenBucketConfig) and refill_rate is capacity is None:
        return _beginning_full(first)
    return _beginning_full(TokenBucketConfig._of(first, refill_rate, capacity))  # noqa: SLF001


def _beginning_full(config: TokenBucketConfig) -> TokenBucketConfig:
    if config.initial_tokens != config.capacity:
        raise ValueError(
            "config must have initial_tokens equal to its capacity in Redis, where a client that "
            f"is not known has a full bucket, got {config!r}: leave initial_tokens out"
        )
    return config
