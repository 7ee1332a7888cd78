from __future__ import annotations

from functools import partial
from typing import Any

import limits.aio.storage
import limits.aio.strategies
import limits.storage
import limits.strategies
from benches.peers.library import Algorithm, Call, Contestant, Library


def contestant(name: str, algorithm: Algorithm) -> Contestant:
    def made(limit: int, window: int) -> tuple[Any, limits.RateLimitItem]:
        strategy = getattr(limits.strategies, name)(limits.storage.MemoryStorage())
        return strategy, limits.RateLimitItemPerSecond(limit, window)

    def plain(limit: int, window: int) -> Call:
        strategy, item = made(limit, window)
        return partial(strategy.hit, item)

    def full(limit: int, window: int) -> Call:
        strategy, item = made(limit, window)
        return lambda key: (strategy.hit(item, key), strategy.get_window_stats(item, key))

    def awaited(limit: int, window: int) -> Any:
        strategy = getattr(limits.aio.strategies, name)(limits.aio.storage.MemoryStorage())
        return partial(strategy.hit, limits.RateLimitItemPerSecond(limit, window))

    return Contestant(name, algorithm, plain, full=full, awaited=awaited)


LIBRARY = Library(
    "limits",
    [
        contestant("MovingWindowRateLimiter", "log"),
        contestant("SlidingWindowCounterRateLimiter", "counter"),
        contestant("FixedWindowRateLimiter", "fixed"),
    ],
    distribution="limits",
)
