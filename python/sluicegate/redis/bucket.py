"""The token bucket in Redis."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, overload

from sluicegate._connection.on_error import OnError
from sluicegate._core import Decision, Quota, TokenBucketConfig
from sluicegate._support.acquiring import key_and_tokens
from sluicegate._support.pending import to_be_awaited
from sluicegate.redis.limiter import AsyncLimiter
from sluicegate.redis.prefix import key_prefix

__all__ = ["TokenBucket"]


class TokenBucket(AsyncLimiter):
    """Bursts up to ``capacity``, ``refill_rate`` tokens a second on average.

    ``TokenBucket(URL, "10/second burst 100")``, ``TokenBucket(URL, 100, 10)``,
    ``TokenBucket(URL, capacity=100, refill_rate=10)`` or
    ``TokenBucket(URL, TokenBucketConfig(100, 10))``. A changed quota, of a key or of all, keeps
    the tokens that are missing, at most the new capacity.

    Args:
        config: the capacity; or a :class:`~sluicegate.Quota` or its text, or a
            :class:`~sluicegate.TokenBucketConfig`, instead of the next two, whose buckets begin
            full: no server knows since when a client that it has no record of has been refilling.
        capacity: most tokens of a key, 1 to 4,294,967,295.
        refill_rate: tokens per second and key, 1e-9 to 1e12.
        redis, prefix, name, timeout, on_error, workers, remember: as
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
        name: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None:
        super().__init__(
            redis,
            _config(config, refill_rate, capacity),
            prefix=prefix,
            name=name,
            timeout=timeout,
            on_error=on_error,
            workers=workers,
            remember=remember,
        )

    def _prefix(self, quota: Any, prefix: str | None, name: str | None) -> str:
        config = _as_config(quota)
        amount = f"{config.capacity}@{config.refill_rate}"
        return key_prefix(self._ALGORITHM, prefix, name, lambda name: name or amount)

    @property
    def config(self) -> TokenBucketConfig:
        """The configuration in force."""
        return _as_config(self._quota)

    if TYPE_CHECKING:

        @overload
        def acquire(
            self, key: str, tokens: int = 1, *, quota: Quota | str | None = None
        ) -> Coroutine[Any, Any, Decision]: ...
        @overload
        def acquire(
            self, tokens: int, key: str, *, quota: Quota | str | None = None
        ) -> Coroutine[Any, Any, Decision]: ...
        def acquire(self, *args: Any, **kwargs: Any) -> Any:
            """Take tokens now or be refused now; by position a ``str`` is the key."""

    else:

        @to_be_awaited
        async def acquire(self, *by_position, key=..., tokens=..., quota=None):
            """Take tokens now or be refused now: :meth:`check`; unpacks as ``(allowed, info)``.

            ``acquire("llm")``, ``acquire("llm", 5)``, ``acquire(5, "llm")`` or
            ``acquire(key="llm", tokens=5)``: by position a ``str`` is the key and an ``int`` the
            tokens, 1 unless given.

            Raises ``TypeError`` or ``ValueError`` for the arguments that :meth:`check` rejects.
            """
            key, tokens = key_and_tokens(by_position, key, tokens)
            if key is ...:
                raise TypeError("acquire needs a key, a str, as in acquire('llm', 5)")
            return await self.check(key, tokens, quota=quota)

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


def _config(
    first: Any, refill_rate: float | None, capacity: int | None
) -> TokenBucketConfig | Quota:
    """The configuration that the arguments are; a quota, which also tells its unit, stays one."""
    if isinstance(first, TokenBucketConfig) and refill_rate is capacity is None:
        return _beginning_full(first)
    config = TokenBucketConfig._of(first, refill_rate, capacity)  # noqa: SLF001
    return Quota(first) if isinstance(first, Quota | str) else _beginning_full(config)


def _as_config(quota: TokenBucketConfig | Quota) -> TokenBucketConfig:
    return TokenBucketConfig.from_quota(quota) if isinstance(quota, Quota) else quota


def _beginning_full(config: TokenBucketConfig) -> TokenBucketConfig:
    if config.initial_tokens != config.capacity:
        raise ValueError(
            "config must have initial_tokens equal to its capacity in Redis, where a client that "
            f"is not known has a full bucket, got {config!r}: leave initial_tokens out"
        )
    return config
