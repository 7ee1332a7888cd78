from __future__ import annotations

from typing import Any

from benches.peers.app import with_middleware
from benches.peers.library import Algorithm, Contestant, Library

from sluicegate import (
    FixedWindow,
    Limiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
    __version__,
)
from sluicegate.asgi import RateLimitMiddleware


def bucket(limit: int, window: int) -> TokenBucket:
    return TokenBucket(capacity=limit, refill_rate=limit / window)


def contestant(algorithm: Algorithm, made: Any) -> Contestant:
    def waits(limit: int, window: int) -> Any:
        limiter: Limiter = made(limit, window)
        return limiter.wait

    def awaited(limit: int, window: int) -> Any:
        take = bucket(limit, window).acquire
        return lambda key: take(1, key)

    return Contestant(
        name=made.__name__ if isinstance(made, type) else "TokenBucket",
        algorithm=algorithm,
        make=lambda limit, window: made(limit, window).is_allowed,
        full=lambda limit, window: made(limit, window).check,
        many=lambda limit, window: made(limit, window).is_allowed_many,
        awaited=awaited if algorithm == "bucket" else None,
        waits=waits,
    )


LIBRARY = Library(
    "sluicegate",
    [
        contestant("log", SlidingWindowRateLimiter),
        contestant("segments", SegmentedWindow),
        contestant("bucket", bucket),
        contestant("counter", SlidingWindowCounter),
        contestant("fixed", FixedWindow),
    ],
    {
        "the log": lambda limit: with_middleware(
            RateLimitMiddleware, limiter=SlidingWindowRateLimiter(limit, 60)
        ),
        "fixed window": lambda limit: with_middleware(
            RateLimitMiddleware, limiter=FixedWindow(limit, 60)
        ),
    },
    release=__version__,
)
