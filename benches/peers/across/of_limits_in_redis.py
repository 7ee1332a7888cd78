from __future__ import annotations

from collections.abc import Callable

from benches.peers.across import Place, Way
from benches.peers.settings import HOT
from limits import RateLimitItemPerHour
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter


def prepare(place: Place, limit: int) -> Callable[[], Callable[[], bool]]:
    item = RateLimitItemPerHour(limit)

    def call() -> Callable[[], bool]:
        hit = FixedWindowRateLimiter(RedisStorage(place.url)).hit
        return lambda: hit(item, HOT)

    return call


WAY = Way("limits", "FixedWindowRateLimiter, Redis", "fixed", prepare, needs="redis")
