"""Metrics of limiters in Redis: every check is timed, and who decided is told."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from redis_servers import Server
from scrapes import requests, scraped
from sluicegate import TokenBucketConfig
from sluicegate.metrics import InstrumentedRateLimiter
from sluicegate.redis import FixedWindow as RedisFixedWindow
from sluicegate.redis import RedisSlidingWindowRateLimiter as RedisLog
from sluicegate.redis import StoreError
from sluicegate.redis import TokenBucket as RedisBucket
from sluicegate.testing import limits_off


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_in_redis_every_check_is_timed(redis_server: Server, registry: CollectorRegistry) -> None:
    limiter = RedisFixedWindow(redis_server.url, 3, 3600, remember=False)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)

    async def run() -> list[bool]:
        async with limiter:
            decisions = [await counted.is_allowed("a", "/tea") for _ in range(5)]
            allowed, info = decisions[-1]
            assert not allowed
            assert info["retry_after"] > 0
            assert counted.limiter.statistics().refused == 2
            return [bool(decision) for decision in decisions]

    assert asyncio.run(run()) == [True] * 3 + [False] * 2
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"/tea": 3}
    assert requests(samples, "rejected") == {"/tea": 2}
    assert samples["rate_limit_decisions_total", "allowed", "redis", "free"] == 3
    assert samples["rate_limit_decisions_total", "rejected", "redis", "free"] == 2
    assert not any("memory" in name for name in samples)
    assert samples["rate_limit_check_seconds_count", "free"] == 5
    assert samples["rate_limit_used_ratio_bucket", "0.5", "free"] == 1
    assert samples["rate_limit_used_ratio_count", "free"] == 5


def test_in_redis_the_articles_answers_are_kept(
    redis_server: Server, registry: CollectorRegistry
) -> None:
    log = InstrumentedRateLimiter(RedisLog(redis_server.url, 1, 60), "log", registry=registry)
    bucket = RedisBucket(redis_server.url, TokenBucketConfig(1, 0.001))
    buckets = InstrumentedRateLimiter(bucket, "bucket", registry=registry)

    async def run() -> None:
        assert [await log.is_allowed("a") for _ in range(2)] == [True, False]
        assert [(await buckets.is_allowed("a")).allowed for _ in range(2)] == [True, False]
        await log.limiter.aclose()
        await bucket.aclose()

    asyncio.run(run())
    assert requests(scraped(registry), "rejected", "log") == {"": 1}
    assert requests(scraped(registry), "rejected", "bucket") == {"": 1}


@pytest.mark.parametrize("policy", ["local", "open", "closed", "raise"])
def test_it_is_told_who_decided_when_the_server_is_gone(
    redis_server: Server, registry: CollectorRegistry, policy: Any
) -> None:
    limiter = RedisFixedWindow(redis_server.url, 5, 3600, on_error=policy, timeout=0.2)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)

    async def run() -> None:
        assert await counted.is_allowed("a")
        redis_server.kill()
        for _ in range(3):
            if policy == "raise":
                with pytest.raises(StoreError):
                    await counted.is_allowed("a", "/tea")
            else:
                assert bool(await counted.is_allowed("a", "/tea")) == (policy != "closed")
        await limiter.aclose()

    asyncio.run(run())
    samples = scraped(registry)
    if policy == "raise":
        assert requests(samples, "error") == {"/tea": 3}
    else:
        result = "rejected" if policy == "closed" else "allowed"
        assert samples["rate_limit_decisions_total", result, policy, "free"] == 3
    assert samples["rate_limit_decisions_total", "allowed", "redis", "free"] == 1
    errors = [
        value for name, value in samples.items() if name[0] == "rate_limit_store_errors_total"
    ]
    assert sum(errors) == 3
    assert samples["rate_limit_check_seconds_count", "free"] == 4
    blind = policy in ("open", "closed", "raise")
    assert samples["rate_limit_used_ratio_count", "free"] == (1 if blind else 4)
    assert ("rate_limit_keys", "free") not in samples


@pytest.mark.parametrize("endpoint", [1, None, b"/tea"])
def test_an_endpoint_of_a_wrong_type_is_refused_before_anything_is_spent(
    redis_server: Server, registry: CollectorRegistry, endpoint: Any
) -> None:
    limiter = RedisFixedWindow(redis_server.url, 3, 3600)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)

    async def run() -> None:
        async with limiter:
            with pytest.raises(TypeError, match="endpoint must be a str, got"):
                await counted.is_allowed("a", endpoint)
            assert (await limiter.peek("a")).remaining == 3

    asyncio.run(run())
    assert limiter.statistics().admitted == 0


def test_while_limits_are_off_nothing_is_counted(
    redis_server: Server, registry: CollectorRegistry
) -> None:
    limiter = RedisFixedWindow(redis_server.url, 1, 3600)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)

    async def run() -> None:
        async with limiter:
            with limits_off():
                assert all([await counted.is_allowed("a", "/tea") for _ in range(3)])
            assert await counted.is_allowed("a", "/tea")

    asyncio.run(run())
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"/tea": 1}
    assert samples["rate_limit_check_seconds_count", "free"] == 1
