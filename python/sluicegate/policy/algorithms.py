"""Limiters by the name of their algorithm, in memory or in Redis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sluicegate._core import TokenBucketConfig
from sluicegate._support.functions import is_async
from sluicegate.limiters import (
    FixedWindow,
    Limiter,
    SegmentedWindow,
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


def _token_bucket(limit: int, window_seconds: float, **options: Any) -> TokenBucket:
    return TokenBucket(_bucket_config(limit, window_seconds), **options)


def _is_bucket(make: Any) -> bool:
    """Whether it is a bucket's class, perhaps with options: it takes a capacity and a rate."""
    while isinstance(make, partial):
        make = make.func
    in_redis = getattr(make, "_ALGORITHM", "") == "token_bucket"
    return isinstance(make, type) and (in_redis or issubclass(make, TokenBucket))


_BY_NAME: dict[str, Callable[..., Any]] = {
    "sliding_window": SlidingWindowRateLimiter,
    "segmented_window": SegmentedWindow,
    "sliding_counter": SlidingWindowCounter,
    "fixed_window": FixedWindow,
    "token_bucket": _token_bucket,
}


def _named(algorithm: Algorithm) -> Callable[..., Any]:
    if isinstance(algorithm, str):
        if algorithm not in _BY_NAME:
            names = ", ".join(map(repr, _BY_NAME))
            raise ValueError(f"algorithm must be one of {names} or a class, got {algorithm!r}")
        return _BY_NAME[algorithm]
    if not callable(algorithm):
        raise TypeError(f"algorithm must be a name or a class, got {algorithm!r}")
    if is_async(algorithm):
        raise TypeError(f"algorithm must be a plain function, got {algorithm!r}")
    make: Any = algorithm
    if make is TokenBucket:
        return _token_bucket
    if _is_bucket(make):

        def bucket(limit: int, window_seconds: float, **options: Any) -> Any:
            return make(_bucket_config(limit, window_seconds), **options)

        return bucket
    return algorithm


def _is_ours(make: object) -> bool:
    """Whether it makes a limiter of this package, or of a subclass."""
    return make is _token_bucket or (isinstance(make, type) and issubclass(make, Limiter))


def limiter_for(algorithm: Algorithm, limit: int, window_seconds: float, **options: Any) -> Any:
    """A limiter of ``limit`` per ``window_seconds`` in this process."""
    if isinstance(algorithm, type) and "_ALGORITHM" in vars(algorithm):  # not a subclass of them
        raise TypeError(
            f"algorithm must not be of sluicegate.redis without redis, got {algorithm!r}"
        )
    make = _named(algorithm)
    if options and not _is_ours(make):
        raise TypeError(
            f"{next(iter(options))}= is for the algorithms of sluicegate: one of your own "
            f"brings it itself, got {algorithm!r}"
        )
    return make(limit, window_seconds, **options)


def limiter_in_redis(
    redis: object,
    algorithm: Algorithm,
    limit: int,
    window_seconds: float,
    prefix: Callable[[str, float], str],
    **options: Any,
) -> Any:
    """The same in Redis. ``algorithm`` may be the class for either.

    ``prefix`` gives that of the keys, by the algorithm's name there and the window.
    """
    from sluicegate.redis import limiters as in_redis
    from sluicegate.redis.bucket import TokenBucket as RedisTokenBucket

    same: dict[Any, Any] = {
        FixedWindow: in_redis.FixedWindow,
        SegmentedWindow: in_redis.SegmentedWindow,
        SlidingWindowCounter: in_redis.SlidingWindowCounter,
        SlidingWindowRateLimiter: in_redis.SlidingWindowRateLimiter,
        _token_bucket: RedisTokenBucket,
    }
    make: Any = _named(algorithm)
    made = same.get(make, make)
    if made not in same.values():
        raise TypeError(
            f"algorithm must be a name or a class of sluicegate.redis, got {algorithm!r}"
        )
    window = FixedWindow(limit, window_seconds).window_seconds  # checks both, by name
    bucket = made is RedisTokenBucket
    quota = (_bucket_config(limit, window_seconds),) if bucket else (limit, window_seconds)
    return made(redis, *quota, prefix=prefix(made._ALGORITHM, window), **options)  # noqa: SLF001
