from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from benches.peers.library import Algorithm, Contestant, Library
from pyrate_limiter import (
    AbstractBucket,
    BucketFactory,
    InMemoryBucket,
    Limiter,
    MonotonicClock,
    Rate,
    RateItem,
    StateBucket,
)


class BucketEach(BucketFactory):
    """A bucket for each name, as its documentation builds them; by itself it ignores names."""

    def __init__(self, kind: type[AbstractBucket], *limits: tuple[int, int]) -> None:
        self._kind = kind
        self._rates = [Rate(limit, window * 1000) for limit, window in limits]
        self._clock = MonotonicClock()
        self._buckets: dict[str, AbstractBucket] = {}

    def wrap_item(self, name: str, weight: int = 1) -> RateItem:
        return RateItem(name, self._clock.now(), weight=weight)

    def get(self, item: RateItem) -> AbstractBucket:
        bucket = self._buckets.get(item.name)
        if bucket is None:
            bucket = self._buckets[item.name] = self.create(self._kind, self._rates)
        return bucket


def contestant(kind: type[AbstractBucket], algorithm: Algorithm) -> Contestant:
    def one_key(limits: Sequence[tuple[int, int]]) -> Any:
        limiter = Limiter(BucketEach(kind, *limits))
        return partial(limiter.try_acquire, blocking=False)

    def made(limit: int, window: int) -> Any:
        return one_key([(limit, window)])

    def awaited(limit: int, window: int) -> Any:
        limiter = Limiter(BucketEach(kind, (limit, window)))
        return partial(limiter.try_acquire_async, blocking=False)

    def waits(limit: int, window: int) -> Any:
        return Limiter(BucketEach(kind, (limit, window))).try_acquire_async

    return Contestant(kind.__name__, algorithm, made, awaited=awaited, waits=waits, one_key=one_key)


LIBRARY = Library(
    "pyrate-limiter",
    [contestant(InMemoryBucket, "log"), contestant(StateBucket, "bucket")],
    distribution="pyrate-limiter",
)
