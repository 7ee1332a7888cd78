from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benches.peers.across import Place, Way
from benches.peers.settings import HOT, HOUR
from pyrate_limiter import Limiter, MultiprocessBucket, Rate


def prepare(place: Place, limit: int) -> Callable[[], Callable[[], bool]]:
    # Its list is a process's of its own, and its lock is known by inheritance.
    bucket = MultiprocessBucket.init([Rate(limit, HOUR * 1000)])
    return lambda: partial(Limiter(bucket).try_acquire, HOT, blocking=False)


WAY = Way("pyrate-limiter", "MultiprocessBucket", "log", prepare)
