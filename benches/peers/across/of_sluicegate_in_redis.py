from __future__ import annotations

from collections.abc import Callable

from benches.peers.across import Place, Way
from benches.peers.settings import HOT, HOUR

from sluicegate.redis import FixedWindow


def prepare(place: Place, limit: int) -> Callable[[], Callable[[], bool]]:
    def call() -> Callable[[], bool]:
        # What was refused is not asked again, unless that is switched off.
        limiter = FixedWindow(place.url, limit, HOUR, prefix="bench", remember=False)
        return lambda: limiter.check_sync(HOT).allowed

    return call


WAY = Way("sluicegate", "FixedWindow, Redis", "fixed", prepare, needs="redis")
