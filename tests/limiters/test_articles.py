"""The articles' calls, unchanged: names, positions, defaults, return shapes."""

from __future__ import annotations

import asyncio
import time

from sluicegate import ManualClock, SlidingWindowRateLimiter, TokenBucket, TokenBucketConfig


def test_article_1_by_position_and_by_name() -> None:
    for limiter in (
        SlidingWindowRateLimiter(5, 60),
        SlidingWindowRateLimiter(max_requests=5, window_seconds=60),
    ):
        assert limiter.max_requests == 5
        assert limiter.window_seconds == 60
        assert limiter.get_remaining("10.0.0.1") == 5
        assert limiter.is_allowed("10.0.0.1") is True
        assert limiter.is_allowed(client_id="10.0.0.1") is True
        assert limiter.get_remaining(client_id="10.0.0.1") == 3
        assert [limiter.is_allowed("10.0.0.1") for _ in range(4)] == [True, True, True, False]
        assert limiter.get_remaining("10.0.0.1") == 0
        assert limiter.is_allowed("10.0.0.2") is True


def test_article_1_defaults() -> None:
    limiter = SlidingWindowRateLimiter()
    assert (limiter.max_requests, limiter.window_seconds) == (100, 60)


def test_article_1_reset_time_is_when_the_first_slot_frees(clock: ManualClock) -> None:
    limiter = SlidingWindowRateLimiter(2, 60, clock=clock)
    clock.advance(100)
    assert limiter.get_reset_time("a") == 160.0
    limiter.is_allowed("a")
    clock.advance(20)
    limiter.is_allowed("a")
    assert limiter.get_reset_time("a") == 160.0
    clock.advance(40)
    assert limiter.get_remaining("a") == 1
    assert limiter.get_reset_time("a") == 180.0


def test_article_1_reset_time_is_unix_time() -> None:
    limiter = SlidingWindowRateLimiter()
    limiter.is_allowed("a")
    assert abs(limiter.get_reset_time(client_id="a") - time.time() - 60) < 5


def test_article_2_token_bucket() -> None:
    async def program() -> None:
        bucket = TokenBucket(TokenBucketConfig(capacity=100, refill_rate=10))
        allowed, info = await bucket.acquire()
        assert allowed
        assert info["remaining"] == 99
        allowed, info = await bucket.acquire(tokens=99)
        assert allowed
        assert info["remaining"] == 0
        assert "reset_at" in info
        allowed, info = await bucket.acquire(5)
        assert not allowed
        assert info["remaining"] == 0
        assert 0 < info["retry_after"] <= 0.5
        assert (await bucket.acquire(100, key="another")).allowed

    asyncio.run(program())


def test_article_2_config_defaults_to_a_full_bucket() -> None:
    assert TokenBucketConfig(100, 10).initial_tokens == 100
    assert TokenBucketConfig(100, 10, 5).initial_tokens == 5
    assert TokenBucketConfig(capacity=7, refill_rate=0.5, initial_tokens=0).initial_tokens == 0
