"""What takes a limit and a window takes a quota or its text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sluicegate import (
    ConcurrencyLimiter,
    FixedWindow,
    ManualClock,
    Quota,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
    TokenBucketConfig,
)

WINDOWS: list[Any] = [FixedWindow, SlidingWindowCounter, SlidingWindowRateLimiter]


def admitted(limiter: Any, calls: int) -> int:
    return sum(bool(limiter.check("key")) for _ in range(calls))


@pytest.mark.parametrize("kind", WINDOWS)
@pytest.mark.parametrize("quota", ["3/minute", Quota("3/minute"), Quota(3, 60)])
def test_a_window_takes_a_quota(kind: Any, quota: Any) -> None:
    limiter = kind(quota, clock=ManualClock(0))
    assert (limiter.limit, limiter.window_seconds) == (3, 60.0)
    assert admitted(limiter, 9) == 3
    limiter.set_quota("5/minute")
    assert admitted(limiter, 9) == 2
    limiter.set_quota(Quota("300/5 minutes"))
    assert (limiter.limit, limiter.window_seconds) == (300, 300.0)


def test_a_bucket_takes_a_quota() -> None:
    clock = ManualClock(0)
    limiter = TokenBucket("10/second burst 4", clock=clock)
    assert limiter.config == TokenBucketConfig(4, 10.0)
    assert admitted(limiter, 9) == 4
    clock.advance(0.1)
    assert admitted(limiter, 9) == 1
    assert TokenBucket("90/minute").config == TokenBucketConfig(90, 1.5)
    limiter.set_quota("20/second burst 6")
    assert (
        limiter.config == TokenBucketConfig(6, 20.0) == TokenBucketConfig.from_quota("20/s burst 6")
    )


def test_permits_take_a_quota() -> None:
    limiter = ConcurrencyLimiter("2 concurrent")
    assert limiter.limit == 2
    held = [limiter.try_acquire("key") for _ in range(3)]
    assert [permit is not None for permit in held] == [True, True, False]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: FixedWindow("5/fortnight"), ValueError, "'5/fortnight': 'fortnight' is no"),
        (lambda: FixedWindow("5/second", 60), TypeError, "window_seconds means nothing beside"),
        (lambda: FixedWindow(5), TypeError, r"window_seconds is missing: .*'100/minute', got 5"),
        (lambda: FixedWindow(None, 60), TypeError, "limit must be an int, got NoneType"),
        (lambda: FixedWindow("5/second; 9/day"), ValueError, "2 quotas in it .* Gate takes"),
        (lambda: FixedWindow("5/second burst 9"), ValueError, "only a TokenBucket has a burst"),
        (lambda: FixedWindow("5 concurrent"), ValueError, "ConcurrencyLimiter"),
        (lambda: FixedWindow("unlimited"), ValueError, "'unlimited': a limiter needs a limit"),
        (lambda: SlidingWindowCounter("5/day in UTC"), ValueError, "FixedWindow has calendar"),
        (lambda: SlidingWindowRateLimiter("16777217/day"), ValueError, "at most 16,777,216"),
        (lambda: TokenBucket("5 concurrent"), ValueError, "needs a rate, such as '10/second"),
        (lambda: TokenBucket("5/second", 9), TypeError, "refill_rate means nothing beside"),
        (lambda: TokenBucket("5/s", capacity=9), TypeError, "capacity means nothing beside"),
        (lambda: TokenBucketConfig.from_quota(5), TypeError, "quota must be a Quota or its text"),
        (lambda: ConcurrencyLimiter("5/second"), ValueError, "needs permits, such as"),
        (lambda: ConcurrencyLimiter("unlimited"), ValueError, "needs permits, such as"),
    ],
)
def test_what_a_limiter_cannot_hold_is_refused(
    make: Callable[[], Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        make()


@pytest.mark.parametrize("kind", WINDOWS)
def test_a_refused_change_changes_nothing(kind: Any) -> None:
    limiter = kind("3/minute", clock=ManualClock(0))
    assert admitted(limiter, 9) == 3
    for wrong in [("0/minute",), ("5/second burst 9",), (5,), ("5/second", 9), (None, 60)]:
        with pytest.raises((TypeError, ValueError)):
            limiter.set_quota(*wrong)
    assert (limiter.limit, limiter.window_seconds) == (3, 60.0)
    assert not limiter.check("key")
