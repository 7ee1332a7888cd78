"""The same of zones. Checked, never run."""

from __future__ import annotations

from typing_extensions import assert_type

from sluicegate import Decision, Limiter, Quota, TokenBucketConfig
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.concurrency import Permit
from sluicegate.fastapi import rate_limit
from sluicegate.policy import Policy
from sluicegate.shared import (
    ConcurrencyLimiter,
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    TokenBucket,
    Zone,
)
from sluicegate.types import AnyLimiter, AnyPermits, SyncLimiter

URL = "shared:///run/app/limits.zone?size=10m"
zone = Zone("/run/app/limits.zone", size=10 << 20)
limiters: list[Limiter] = [
    FixedWindow(URL, 100, 60, name="api"),
    FixedWindow(zone, "100/minute", name="api"),
    SegmentedWindow(zone, Quota("100/minute"), name="api", largest=1_000),
    SlidingWindowCounter(zone, 100, window_seconds=0.5, name="api"),
    TokenBucket(zone, "10/second burst 50", name="api"),
    TokenBucket(zone, 100, 0.5, name="api"),
    TokenBucket(zone, TokenBucketConfig(100, 10), name="api"),
    TokenBucket(zone, capacity=100, refill_rate=0.5, name="api"),
]
FixedWindow(zone, 100, name="api")  # type: ignore[call-overload]  # pyright: ignore
FixedWindow(zone, "100/minute")  # type: ignore[call-overload]  # pyright: ignore
any_limiters: list[AnyLimiter] = [*limiters]
sync_limiters: list[SyncLimiter] = [*limiters]


async def verbs(limiter: FixedWindow, bucket: TokenBucket) -> None:
    assert_type(limiter.check("a"), Decision)
    assert_type(limiter.check_sync("a", 2), Decision)
    assert_type(await limiter.wait("a", timeout=1), Decision)
    assert_type(limiter.is_allowed_many(["a"]), list[bool])
    assert_type(await bucket.acquire(2), Decision)
    limiter.set_quota("200/minute")
    bucket.set_quota(200, 20)


async def permits(limiter: ConcurrencyLimiter) -> None:
    async with limiter.permit("a", timeout=1) as held:
        assert_type(held, Permit)
    assert_type(limiter.try_acquire("a"), Permit | None)
    assert_type(limiter.in_use("a"), int)
    any_permits: AnyPermits = limiter
    assert_type(any_permits.limit, int)


def web(app: RateLimitMiddleware) -> None:
    RateLimitMiddleware(app, tiers={"free": "100/minute"}, store=URL, concurrency=5)
    Policy({"free": "100/minute"}, store=zone, algorithm="fixed_window")
    rate_limit("10/minute", store="redis://localhost:6379/0")
