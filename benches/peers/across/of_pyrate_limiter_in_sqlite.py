from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benches.peers.across import Place, Way
from benches.peers.settings import HOT, HOUR
from pyrate_limiter import Limiter, Rate, SQLiteBucket


def prepare(place: Place, limit: int) -> Callable[[], Callable[[], bool]]:
    rates, path = [Rate(limit, HOUR * 1000)], str(place.folder / "limits.sqlite")

    def call() -> Callable[[], bool]:
        bucket = SQLiteBucket.init_from_file(rates, db_path=path, use_file_lock=True)
        return partial(Limiter(bucket).try_acquire, HOT, blocking=False)

    return call


WAY = Way("pyrate-limiter", "SQLiteBucket, a file", "log", prepare)
