"""The verbs of the limiters in Redis on a real server: answers, arguments, keys."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from redis_programs import FOREVER, every_kind, run
from redis_servers import Server
from sluicegate import Decision, TokenBucketConfig
from sluicegate.redis import (
    AsyncLimiter,
    DistributedTokenBucket,
    FixedWindow,
    RedisSlidingWindowRateLimiter,
    RedisStatistics,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate.testing import limits_off

Make = Callable[..., AsyncLimiter]
WINDOWS = (FixedWindow, SegmentedWindow, SlidingWindowCounter, SlidingWindowRateLimiter)
URL = "redis://127.0.0.1:1"  # nobody listens there


@every_kind
def test_a_decision_says_all(make: Make, redis_server: Server) -> None:
    async def main() -> None:
        limiter = make(redis_server.url)
        before = time.time()
        first = await limiter.check("a")
        assert isinstance(first, Decision)
        assert (first.allowed, first.limit, first.remaining, first.retry_after) == (True, 3, 2, 0.0)
        assert first.store == "redis"
        assert before - 1e-6 <= first.reset_at - first.reset_after <= time.time()
        allowed, info = first
        assert allowed is True
        assert info == {"remaining": 2, "reset_at": first.reset_at}
        assert await limiter.check(key="a", cost=2)
        for store in ("redis", "remembered"):
            refused = await limiter.check("a", 1)
            assert not refused
            assert refused.store == store
            assert tuple(refused) == (
                False,
                {"remaining": 0, "retry_after": refused.retry_after},
            )
            assert 0 < refused.retry_after <= refused.reset_after <= 2 * FOREVER

    run(main())


@every_kind
def test_every_verb(make: Make, redis_server: Server) -> None:
    async def main() -> None:
        async with make(redis_server.url, on_error="raise") as limiter:
            assert (await limiter.ping()).split()[0] in {"redis", "valkey"}
            assert (limiter.limit, limiter.window_seconds) == (3, FOREVER)
            assert bool(limiter)
            assert repr(limiter).startswith(f"<{type(limiter).__name__} in Redis limit=3")
            assert (await limiter.peek("a", 3)).remaining == 3
            assert redis_server.command("DBSIZE") == 0
            many = await limiter.check_many(["a", "b", "a", "a", "a", "b"])
            assert [bool(decision) for decision in many] == [True, True, True, True, False, True]
            assert [each.remaining for each in await limiter.check_many(iter("cc"))] == [2, 1]
            assert await limiter.check_many([]) == []
            assert not await limiter.peek("a")
            assert await limiter.refund("a", 2) is None
            assert (await limiter.check("a")).remaining == 1
            await limiter.refund("a", 3)
            await limiter.refund("a", 3)
            await limiter.refund("never seen")
            assert (await limiter.peek("a")).remaining == 3
            assert await limiter.wait("b", timeout=1)
            assert not await limiter.wait("b", timeout=1)
            assert await limiter.reset("b") is None
            assert (await limiter.peek("b")).remaining == 3
            assert limiter.statistics() == RedisStatistics(9, 2, 0, 0, 0, 0)
        assert (await limiter.check("b")).remaining == 2  # opens it again
        assert [int(redis_server.command("PTTL", key) > 0) for key in keys()] == [1] * len(keys())

    def keys() -> list[bytes]:
        return redis_server.command("KEYS", "*")

    run(main())


def test_a_changed_quota_keeps_what_was_spent(redis_server: Server) -> None:
    async def main() -> None:
        for kind in WINDOWS:
            limiter = kind(redis_server.url, 3, FOREVER)
            await limiter.check("a", 3)
            assert not await limiter.check("a")
            await limiter.set_quota(5, FOREVER)
            assert limiter.limit == 5
            assert [bool(await limiter.check("a")) for _ in range(3)] == [True, True, False]
        article = RedisSlidingWindowRateLimiter(redis_server.url, prefix="article")
        await article.set_quota(max_requests=2, window_seconds=9)
        assert (article.max_requests, article.window_seconds) == (2, 9.0)
        bucket = TokenBucket(redis_server.url, TokenBucketConfig(3, 3e-9))
        await bucket.acquire("a", tokens=3)
        await bucket.set_quota(config := TokenBucketConfig(6, 6e-9))
        assert bucket.config is config
        # Three are missing, as before.
        assert [bool(await bucket.acquire("a")) for _ in range(4)] == [True, True, True, False]

    run(main())


OPTIONS: dict[str, Any] = {
    "prefix": None,
    "timeout": 1,
    "on_error": "raise",
    "workers": 1,
    "remember": True,
}
WRONG: list[Any] = [
    (lambda: FixedWindow(5, 1, 1), TypeError, "redis"),  # type: ignore[arg-type]
    (lambda: FixedWindow("http://a", 1, 1), ValueError, "redis"),
    (lambda: AsyncLimiter(URL, (1, 1), **OPTIONS), TypeError, "base class"),
    (lambda: FixedWindow(URL, 1, 1, prefix=5), TypeError, "prefix"),  # type: ignore[arg-type]
    (lambda: FixedWindow(URL, 1, 1, prefix="x" * 65), ValueError, "prefix"),
    (lambda: FixedWindow(URL, 1, 1, prefix="a{b"), ValueError, "prefix"),
    (lambda: FixedWindow(URL, 1, 1, prefix="\ud800"), ValueError, "prefix"),
    (lambda: FixedWindow(URL, 1, 1, on_error="never"), ValueError, "on_error"),  # type: ignore[arg-type]
    (lambda: FixedWindow(URL, 1, 1, on_error=None), ValueError, "on_error"),  # type: ignore[arg-type]
    (lambda: FixedWindow(URL, 1, 1, remember=1), TypeError, "remember"),  # type: ignore[arg-type]
    (lambda: TokenBucket(URL, (1, 1)), TypeError, "config"),  # type: ignore[arg-type]
    *[
        (lambda make=make, bad=bad: make(bad), error, name)
        for name, make, wrong, rightly_typed in [
            ("limit", lambda x: FixedWindow(URL, x, 1), [1.5, "1", True, None], [0, -1, 2**32]),
            ("limit", lambda x: SlidingWindowRateLimiter(URL, x, 1), [], [2**24 + 1]),
            ("max_requests", lambda x: RedisSlidingWindowRateLimiter(URL, x), [b"1"], [0, 2**40]),
            (
                "window_seconds",
                lambda x: SlidingWindowCounter(URL, 1, x),
                ["1", None, True],
                [0, -1, math.nan, math.inf, 1e-9, 1e10, 10**400],
            ),
            (
                "timeout",
                lambda x: FixedWindow(URL, 1, 1, timeout=x),
                ["1", None, True],
                [0, -1, math.nan, math.inf, 0.0001, 61, 10**400],
            ),
            ("workers", lambda x: FixedWindow(URL, 1, 1, workers=x), [1.0, "1", True], [0, -1]),
        ]
        for error, values in ((TypeError, wrong), (ValueError, rightly_typed))
        for bad in values
    ],
]


@pytest.mark.parametrize(("make", "error", "name"), WRONG)
def test_wrong_arguments_of_constructors_are_named(
    make: Callable[[], object], error: type[Exception], name: str
) -> None:
    if name == "max_requests":
        name = "limit|max_requests"
    with pytest.raises(error, match=name):
        make()


@every_kind
def test_wrong_arguments_of_verbs_are_named_and_spend_nothing(
    make: Make, redis_server: Server
) -> None:
    async def main() -> None:
        limiter: Any = make(redis_server.url)
        for verb in (limiter.check, limiter.peek, limiter.wait, limiter.refund, limiter.check_many):
            for cost in (0, -1, 4, 2**32, 2**64, -(2**70)):
                with pytest.raises(ValueError, match="cost"):
                    await verb(["a"] if verb == limiter.check_many else "a", cost)
            for cost in (True, 1.0, "1", None, math.nan):
                with pytest.raises(TypeError, match="cost"):
                    await verb(["a"] if verb == limiter.check_many else "a", cost)
        for key in (b"a", None, 7):
            for verb in (limiter.check, limiter.peek, limiter.wait, limiter.refund, limiter.reset):
                with pytest.raises(TypeError, match="key must be a str"):
                    await verb(key)
            with pytest.raises(TypeError, match="key must be a str"):
                await limiter.check_many(["a", key])
        for keys in ("abc", 5, None):
            with pytest.raises(TypeError, match="keys must be an iterable of str"):
                await limiter.check_many(keys)
        for timeout, error in (("1", TypeError), (True, TypeError), (-1, ValueError)):
            with pytest.raises(error, match="timeout"):
                await limiter.wait("a", timeout=timeout)
            with pytest.raises(error, match="timeout"):
                await limiter.ping(timeout)
        for timeout in (math.nan, 0, 61, math.inf, 10**400):
            with pytest.raises(ValueError, match="timeout"):
                await limiter.ping(timeout)
        assert (await limiter.peek("a")).remaining == 3

    run(main())
    assert redis_server.command("DBSIZE") == 0


def test_another_name_of_the_bucket_and_two_ways_to_ask(redis_server: Server) -> None:
    async def main() -> None:
        assert DistributedTokenBucket is TokenBucket
        bucket = TokenBucket(redis_server.url, TokenBucketConfig(capacity=2, refill_rate=1e-6))
        allowed, _ = await bucket.acquire("a", tokens=2)
        refused, info = await bucket.acquire("a")
        assert (allowed, refused, info["remaining"]) == (True, False, 0)
        for kind in WINDOWS:
            limiter = kind(redis_server.url, 1, FOREVER, prefix=kind.__name__)
            allowed, info = await limiter.is_allowed("a")
            assert (allowed, info["remaining"]) == (True, 0)
            allowed, info = await limiter.is_allowed("a", cost=1)
            assert (allowed, sorted(info)) == (False, ["remaining", "retry_after"])

    run(main())


@every_kind
def test_limits_off_admits_all_and_counts_nothing(make: Make, redis_server: Server) -> None:
    async def main() -> None:
        limiter = make(redis_server.url, remember=False)
        assert await limiter.check("a", 3)
        before, calls = limiter.statistics(), redis_server.command("DBSIZE")
        with limits_off():
            assert all(await limiter.check_many(["a"] * 5, cost=3))
            assert await limiter.wait("a", 3)
            await limiter.refund("a", 3)
            with pytest.raises(ValueError, match="cost"):
                await limiter.check("a", 4)
        assert (limiter.statistics(), redis_server.command("DBSIZE")) == (before, calls)
        assert not await limiter.check("a")

    run(main())


def test_limits_off_counts_no_remembered_refusal(redis_server: Server) -> None:
    async def main() -> None:
        limiter = FixedWindow(redis_server.url, 1, FOREVER)
        await limiter.check_many(["a", "a"])
        before = limiter.statistics()
        with limits_off():
            assert await limiter.check("a")
        assert limiter.statistics() == before

    run(main())
