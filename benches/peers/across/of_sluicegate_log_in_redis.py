from __future__ import annotations

from collections.abc import Callable

from benches.peers.across import Place, Way
from benches.peers.settings import HOT, HOUR

from sluicegate.redis import SlidingWindowRateLimiter


def prepare(place: Place, limit: int) -> Callable[[], Callable[[], bool]]:
    def call() -> Callable[[], bool]:
        limiter = SlidingWindowRateLimiter(place.url, limit, HOUR, prefix="bench", remember=False)
        return lambda: limiter.check_sync(HOT).allowed

    return call


WAY = Way("sluicegate", "SlidingWindowRateLimiter, Redis", "log", prepare, "redis", 1_000_000)
