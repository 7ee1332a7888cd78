"""Limiters by the name of their algorithm, in memory or in Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sluicegate._core import Quota, TokenBucketConfig
from sluicegate._support.functions import is_async
from sluicegate.limiters import (
    FixedWindow,
    Limiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

__all__ = ["Algorithm", "default_algorithm", "limiter_for", "limiter_in_redis"]

#: A name, a limiter class, or a callable that makes a limiter from a limit and a window.
Algorithm = str | Callable[[int, float], Any]


#: The largest limit that the exact log counts where no algorithm is named: 4 kB a client.
_LARGEST_LOG = 1_000


def default_algorithm(quota: Quota, beside: Iterable[Quota] = ()) -> str:
    """The algorithm of a quota where none is named: in no window it lets more pass than the limit.

    A burst is a token bucket's, a time zone a fixed window's. Other windows are counted by the
    exact log up to 1,000 units, above by segments. So that all clients of a policy are counted in
    one way, the largest of these decides, ``quota`` itself or one ``beside`` it.
    """
    if quota.burst is not None:
        return "token_bucket"
    if quota.zone is not None:
        return "fixed_window"
    sliding = [each.limit or 0 for each in beside if each.burst is None is each.zone]
    largest = max(quota.limit or 0, *sliding, 0)
    return "sliding_window" if largest <= _LARGEST_LOG else "segmented_window"


def _bucket_config(quota: Quota) -> TokenBucketConfig:
    assert quota.limit is not None
    assert quota.window_seconds is not None
    return TokenBucketConfig(quota.burst or quota.limit, quota.limit / quota.window_seconds)


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
    "token_bucket": TokenBucket,
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
    return algorithm


def _arguments(algorithm: Algorithm, make: Any, quota: Quota) -> tuple[Any, ...]:
    """By what ``make`` is told the quota."""
    if quota.burst is not None and not _is_bucket(make):
        raise _misfit(algorithm, quota, "only a token bucket has a burst")
    if quota.zone is None:
        is_bucket = _is_bucket(make)
        return (_bucket_config(quota),) if is_bucket else (quota.limit, quota.window_seconds)
    if make is not FixedWindow:
        raise _misfit(algorithm, quota, "only a fixed window follows a calendar")
    return (quota,)


def _misfit(algorithm: Algorithm, quota: Quota, why: str) -> ValueError:
    return ValueError(
        f"quota '{quota}': {why}, and algorithm= names {algorithm!r}: leave algorithm= out, which "
        "chooses by the quota"
    )


def limiter_for(algorithm: Algorithm, quota: Quota, **options: Any) -> Any:
    """A limiter of ``quota`` in this process."""
    if isinstance(algorithm, type) and "_ALGORITHM" in vars(algorithm):  # not a subclass of them
        raise TypeError(
            f"algorithm must not be of sluicegate.redis without redis, got {algorithm!r}"
        )
    make = _named(algorithm)
    if options and not (isinstance(make, type) and issubclass(make, Limiter)):
        raise TypeError(
            f"{next(iter(options))}= is for the algorithms of sluicegate: one of your own "
            f"brings it itself, got {algorithm!r}"
        )
    return make(*_arguments(algorithm, make, quota), **options)


def limiter_in_redis(
    redis: object,
    algorithm: Algorithm,
    quota: Quota,
    prefix: Callable[[str], str],
    **options: Any,
) -> Any:
    """The same in Redis. ``algorithm`` may be the class for either.

    ``prefix`` gives that of the keys, by the algorithm's name there.
    """
    from sluicegate.redis import limiters as in_redis
    from sluicegate.redis.bucket import TokenBucket as RedisTokenBucket

    same: dict[Any, Any] = {
        FixedWindow: in_redis.FixedWindow,
        SegmentedWindow: in_redis.SegmentedWindow,
        SlidingWindowCounter: in_redis.SlidingWindowCounter,
        SlidingWindowRateLimiter: in_redis.SlidingWindowRateLimiter,
        TokenBucket: RedisTokenBucket,
    }
    given: Any = _named(algorithm)
    in_memory = next(
        (here for here, there in same.items() if given is here or given is there), None
    )
    if in_memory is None:
        raise TypeError(
            f"algorithm must be a name or a class of sluicegate.redis, got {algorithm!r}"
        )
    make, arguments = same[in_memory], _arguments(algorithm, in_memory, quota)
    return make(redis, *arguments, prefix=prefix(make._ALGORITHM), **options)  # noqa: SLF001
