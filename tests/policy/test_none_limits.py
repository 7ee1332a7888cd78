"""``None`` is no limit anywhere: what was forgotten must not become a quota that nobody chose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sluicegate import TokenBucketConfig, limiters, redis
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.concurrency import ConcurrencyLimiter
from sluicegate.fastapi import rate_limit
from sluicegate.leaky_bucket import LeakyBucket

URL = "redis://127.0.0.1:1"
WINDOWED = ("FixedWindow", "SegmentedWindow", "SlidingWindowCounter", "SlidingWindowRateLimiter")
ALGORITHMS = (
    "sliding_window",
    "segmented_window",
    "sliding_counter",
    "fixed_window",
    "token_bucket",
)

Make = Callable[[Any, Any], Any]


async def app(*_: object) -> None:
    """Serves nothing."""


def tiered(algorithm: str, url: str | None) -> Make:
    return lambda limit, window: RateLimitMiddleware(
        app, tiers={"free": (limit, window)}, algorithm=algorithm, redis=url
    )


def routed(algorithm: str, url: str | None) -> Make:
    return lambda limit, window: rate_limit(limit, window, algorithm=algorithm, redis=url)


def windowed() -> list[Make]:
    made: list[Make] = [getattr(limiters, name) for name in WINDOWED]
    for name in (*WINDOWED, "RedisSlidingWindowRateLimiter"):
        made.append(lambda limit, window, kind=getattr(redis, name): kind(URL, limit, window))
    for name in WINDOWED:
        made.append(
            lambda limit, window, one=getattr(limiters, name)(1, 1): one.set_quota(limit, window)
        )
    for algorithm in ALGORITHMS:
        for url in (None, URL):
            made += [tiered(algorithm, url), routed(algorithm, url)]
    made.append(
        lambda limit, window: RateLimitMiddleware(
            app, tiers={"a": (1, 1)}, messages=(limit, window)
        )
    )
    made += [
        lambda rate, size: TokenBucketConfig(size, rate),
        lambda rate, size: limiters.TokenBucket(capacity=size, refill_rate=rate),
    ]
    return made


@pytest.mark.parametrize("make", windowed())
def test_neither_the_limit_nor_the_window_may_be_none(make: Make) -> None:
    make(3, 10)
    for limit, window in ((None, 10), (3, None), (None, None)):
        with pytest.raises(TypeError, match=r"limit|max_requests|window|capacity|refill_rate"):
            make(limit, window)


@pytest.mark.parametrize(
    "make", [ConcurrencyLimiter, LeakyBucket, lambda limit: redis.ConcurrencyLimiter(URL, limit)]
)
def test_permits_and_leaks_may_not_be_none(make: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"limit|capacity"):
        make(None)


def test_what_is_left_out_is_the_articles() -> None:
    for limiter in (limiters.SlidingWindowRateLimiter(), redis.RedisSlidingWindowRateLimiter(URL)):
        assert (limiter.limit, limiter.window_seconds) == (100, 60)
    assert limiters.SlidingWindowRateLimiter(window_seconds=5).limit == 100
    assert limiters.SlidingWindowRateLimiter(5).window_seconds == 60
