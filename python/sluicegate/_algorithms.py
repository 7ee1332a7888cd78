"""Limiters by the name of their algorithm, in memory or in Redis."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from sluicegate._core import TokenBucketConfig
from sluicegate.limiters import (
    FixedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

__all__ = ["Algorithm", "limiter_for", "limiter_in_redis"]

#: A name, a limiter class, or a callable that makes a limiter from a limit and a window.
Algorithm = str | Callable[[int, float], Any]


def _bucket_config(limit: int, window_seconds: float) -> TokenBucketConfig:
    window = FixedWindow(limit, window_seconds).window_seconds  # checks both, by name
    return TokenBucketConfig(limit, limit / window)


def _token_bucket(limit: int, window_seconds: float) -> TokenBucket:
    return TokenBucket(_bucket_config(limit, window_seconds))


_BY_NAME: dict[str, Callable[[int, float], Any]] = {
    "sliding_window": SlidingWindowRateLimiter,
    "sliding_counter": SlidingWindowCounter,
    "fixed_window": FixedWindow,
    "token_bucket": _token_bucket,
}


def _named(algorithm: Algorithm) -> Callable[[int, float], Any]:
    if isinstance(algorithm, str):
        if algorithm not in _BY_NAME:
            names = ", ".join(map(repr, _BY_NAME))
            raise ValueError(f"algorithm must be one of {names} or a class, got {algorithm!r}")
        return _BY_NAME[algorithm]
    if not callable(algorithm):
        raise TypeError(f"algorithm must be a name or a class, got {algorithm!r}")
    make: Any = algorithm
    return _token_bucket if make is TokenBucket else make


def limiter_for(algorithm: Algorithm, limit: int, window_seconds: float) -> Any:
    """A limiter of ``limit`` per ``window_seconds`` in this process."""
    if getattr(algorithm, "__module__", "") == "sluicegate.redis":
        raise TypeError(
            f"algorithm must not be of sluicegate.redis without redis, got {algorithm!r}"
        )
    return _named(algorithm)(limit, window_seconds)


def limiter_in_redis(
    redis: object, algorithm: Algorithm, limit: int, window_seconds: float, prefix: str
) -> Any:
    """The same in Redis. ``algorithm`` may be the class for either."""
    from sluicegate import redis as in_redis

    same: dict[Any, Any] = {
        FixedWindow: in_redis.FixedWindow,
        SlidingWindowCounter: in_redis.SlidingWindowCounter,
        SlidingWindowRateLimiter: in_redis.SlidingWindowRateLimiter,
        _token_bucket: in_redis.TokenBucket,
    }
    make: Any = _named(algorithm)
    made = same.get(make, make)
    if made not in same.values():
        raise TypeError(
            f"algorithm must be a name or a class of sluicegate.redis, got {algorithm!r}"
        )
    bucket = made is in_redis.TokenBucket
    quota = (_bucket_config(limit, window_seconds),) if bucket else (limit, window_seconds)
    return made(redis, *quota, prefix=_short(f"{prefix}:{made._ALGORITHM}"))


def _short(prefix: str) -> str:
    """A prefix that suits a limiter in Redis, whatever the name in it."""
    if len(prefix) <= 64 and prefix.isascii() and not set(prefix) & set("{}"):
        return prefix
    encoded = prefix.encode("utf-8", "surrogatepass")
    return "sluicegate:" + blake2b(encoded, digest_size=16).hexdigest()
