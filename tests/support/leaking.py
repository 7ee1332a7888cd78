"""A leaky bucket that records, and what to do with the record."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sluicegate.leaky_bucket import LeakyBucket
from virtual_time import now

Times = list[tuple[str, float]]


def recording(**options: Any) -> tuple[LeakyBucket, Times]:
    """A bucket, and when it began to handle what."""
    times: Times = []
    return LeakyBucket(handler=lambda name: times.append((name, now())), **options), times


async def fill(bucket: LeakyBucket, count: int) -> list[bool]:
    return [await bucket.submit(str(number)) for number in range(count)]


def gaps(times: Times) -> list[float]:
    moments = [moment for _, moment in times]
    return [later - sooner for sooner, later in pairwise(moments)]
