"""A limiter that has a name keeps its keys when its amount changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from sluicegate import redis as in_redis

NOWHERE = "redis://127.0.0.1:1"


def prefix(kind: str, *quota: Any, **options: Any) -> str:
    limiter = getattr(in_redis, kind)(NOWHERE, *quota, **options)
    name: str = limiter._made_of[1]["prefix"]
    assert copy.copy(limiter)._made_of[1]["prefix"] == name
    return name


@pytest.mark.parametrize(
    ("kind", "quota", "options", "named"),
    [
        ("FixedWindow", ("9/minute",), {}, "sluicegate:fixed_window:api/60"),
        ("FixedWindow", (100, 60.0), {}, "sluicegate:fixed_window:api/60"),
        ("FixedWindow", ("9/month in UTC",), {}, "sluicegate:fixed_window:api/month@UTC"),
        ("SegmentedWindow", ("9 tokens/day",), {}, "sluicegate:segmented_window:api tokens/86400"),
        ("SlidingWindowCounter", (9, 7), {"prefix": "app"}, "app:sliding_counter:api/7"),
        ("RedisSlidingWindowRateLimiter", (), {"prefix": ""}, "sliding_log:api/60"),
        ("TokenBucket", ("9/minute",), {}, "sluicegate:token_bucket:api"),
        ("TokenBucket", (100, 10), {"prefix": "app"}, "app:token_bucket:api"),
    ],
)
def test_keys_begin_with_the_name_in_the_amounts_place(
    kind: str, quota: tuple[Any, ...], options: dict[str, Any], named: str
) -> None:
    assert prefix(kind, *quota, name="api", **options) == named


def test_without_a_name_the_amount_stays_unless_there_is_a_prefix() -> None:
    assert prefix("FixedWindow", "9/minute") == "sluicegate:fixed_window:9/60"
    assert prefix("FixedWindow", "9/minute", prefix="app") == "app"
    assert prefix("TokenBucket", 9, 3) == "sluicegate:token_bucket:9@3.0"


def test_long_names_stay_apart() -> None:
    names = [prefix("FixedWindow", "9/minute", name="n" * 63 + end) for end in "ab"]
    assert len(set(names)) == 2
    assert all(len(name) <= 64 for name in names)


@pytest.mark.parametrize("kind", ["FixedWindow", "TokenBucket"])
@pytest.mark.parametrize("name", ["", "9", "_a", "a b", "a{b}", "é", "a" * 65, "a\n"])
def test_what_is_no_name_is_refused(kind: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"name must be 1 to 64 .* as 'api', got"):
        prefix(kind, "9/minute", name=name)
    with pytest.raises(TypeError, match="name must be a str or None, got int 9"):
        prefix(kind, "9/minute", name=9)
