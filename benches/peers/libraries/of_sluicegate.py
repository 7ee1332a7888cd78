from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from benches.peers.app import with_middleware
from benches.peers.library import Algorithm, Contestant, Library

from sluicegate import (
    FixedWindow,
    Gate,
    Limit,
    Limiter,
    Quota,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
    __version__,
)
from sluicegate.asgi import RateLimitMiddleware

# That the hour allows less than the second is what a gate warns of, and what is measured here.
logging.getLogger("sluicegate").setLevel(logging.ERROR)


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


def gate(algorithm: Algorithm, name: str) -> Contestant:
    def made(limits: Sequence[tuple[int, int]], *by: str) -> Any:
        quotas = [Quota(limit, window) for limit, window in limits]
        pairs = zip(quotas, by, strict=True)
        return Gate([Limit(quota, by=each, algorithm=name) for quota, each in pairs]).check

    def each_its_own(limits: Sequence[tuple[int, int]]) -> Any:
        check = made(limits, "user", "tenant", "tool")
        return lambda key: check({"user": key, "tenant": "acme", "tool": "search"})

    return Contestant(
        f"Gate, {name}",
        algorithm,
        one_key=lambda limits: made(limits, "key", "key", "key"),
        each_its_own=each_its_own,
    )


LIBRARY = Library(
    "sluicegate",
    [
        contestant("log", SlidingWindowRateLimiter),
        contestant("segments", SegmentedWindow),
        contestant("bucket", bucket),
        contestant("counter", SlidingWindowCounter),
        contestant("fixed", FixedWindow),
        gate("log", "sliding_window"),
        gate("segments", "segmented_window"),
        gate("bucket", "token_bucket"),
        gate("counter", "sliding_counter"),
        gate("fixed", "fixed_window"),
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
