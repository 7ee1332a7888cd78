"""The limiters in Redis take a quota or its text where a limit and a window stood, as in memory."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest

import sluicegate
from redis_programs import run
from redis_servers import Server
from sluicegate import Quota, TokenBucketConfig
from sluicegate import redis as in_redis

NOWHERE = "redis://127.0.0.1:1"
WINDOWS = ["FixedWindow", "SegmentedWindow", "SlidingWindowCounter", "SlidingWindowRateLimiter"]


def remote(name: str, *arguments: Any, **options: Any) -> Any:
    return getattr(in_redis, name)(NOWHERE, *arguments, **options)


def prefix(limiter: Any) -> str:
    name: str = limiter._made_of[1]["prefix"]
    return name


@pytest.mark.parametrize("name", [*WINDOWS, "RedisSlidingWindowRateLimiter"])
@pytest.mark.parametrize("quota", ["3/minute", Quota("3/minute"), Quota(3, 60)])
def test_a_window_takes_a_quota(name: str, quota: Any, redis_server: Server) -> None:
    async def main() -> None:
        limiter = getattr(in_redis, name)(redis_server.url, quota, timeout=30, remember=False)
        assert (limiter.limit, limiter.window_seconds) == (3, 60.0)
        assert (prefix(limiter), limiter._quota) == (prefix(remote(name, 3, 60)), (quota,))
        for key in ("a", "b"):
            assert [bool(await limiter.check(key)) for _ in range(4)] == [True] * 3 + [False]
        await limiter.set_quota("9/day")
        assert (limiter.limit, limiter.window_seconds) == (9, 86_400.0)
        assert (await limiter.check("a")).remaining == 5
        another = copy.copy(limiter)
        assert (another.limit, prefix(another)) == (9, prefix(limiter))
        await limiter.set_quota(4, 60)
        assert limiter.limit == 4

    run(main())


def test_a_bucket_takes_a_quota(redis_server: Server) -> None:
    async def main() -> None:
        bucket = in_redis.TokenBucket(redis_server.url, "10/second burst 20", timeout=30)
        assert bucket.config == TokenBucketConfig(20, 10.0)
        assert prefix(bucket) == prefix(remote("TokenBucket", 20, 10))
        assert (await bucket.check("a", 20)).remaining == 0
        await bucket.set_quota(Quota("90/minute"))
        assert bucket.config == TokenBucketConfig(90, 1.5)

    run(main())


def test_permits_take_a_quota(redis_server: Server) -> None:
    async def main() -> None:
        limiter = in_redis.ConcurrencyLimiter(redis_server.url, "2 concurrent", timeout=10)
        assert (limiter.limit, prefix(limiter)) == (2, prefix(remote("ConcurrencyLimiter", 2)))
        held = [await limiter.try_acquire("key") for _ in range(3)]
        assert [permit is not None for permit in held] == [True, True, False]
        assert copy.copy(limiter).limit == 2

    run(main())


def test_independent_servers_take_a_quota(redis_server: Server) -> None:
    async def main() -> None:
        async with in_redis.ClusterRateLimiter([redis_server.url], timeout=30) as limiter:
            quotas: list[tuple[Any, ...]] = [("2/minute",), (2, 60), (Quota("2/minute"),)]
            answers = [await limiter.is_allowed("key", *quota) for quota in quotas]
            assert [bool(answer) for answer in answers] == [True, True, False]
            wrong: list[tuple[Any, ...]] = [("2/minute", 60), (2,), ("2/fortnight",)]
            for quota in wrong:
                with pytest.raises((TypeError, ValueError), match="minute"):
                    await limiter.is_allowed("key", *quota)

    run(main())


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *[("FixedWindow", (text,)) for text in ("5/fortnight", "5/second; 9/day", "unlimited")],
        *[("FixedWindow", (text,)) for text in ("5/second burst 9", "5 concurrent", "5/month")],
        *[("FixedWindow", given) for given in [(5,), (None,), (None, 60), (b"5",), ("5", 60)]],
        ("FixedWindow", ("5/second", 60)),
        ("SlidingWindowCounter", ("5/day in UTC",)),
        ("SlidingWindowRateLimiter", ("16777217/day",)),
        ("TokenBucket", ("5 concurrent",)),
        ("TokenBucket", ("5/second", 9)),
        ("TokenBucket", (5,)),
        ("TokenBucket", (b"5",)),
        ("ConcurrencyLimiter", ("5/second",)),
        ("ConcurrencyLimiter", ("unlimited",)),
    ],
)
def test_what_it_refuses_it_refuses_as_in_memory(name: str, arguments: tuple[Any, ...]) -> None:
    here: Any = getattr(sluicegate, name)
    with pytest.raises((TypeError, ValueError)) as in_memory:
        here(*arguments)
    with pytest.raises(in_memory.type) as there:
        remote(name, *arguments)
    assert str(there.value) == str(in_memory.value)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_refused_change_changes_nothing(name: str) -> None:
    limiter = remote(name, "3/minute")
    for wrong in [("0/minute",), ("5/second burst 9",), (5,), ("5/second", 9), (None, 60)]:
        with pytest.raises((TypeError, ValueError)):
            asyncio.run(limiter.set_quota(*wrong))
    assert (limiter.limit, limiter._quota) == (3, ("3/minute",))


@pytest.mark.parametrize(
    ("quota", "named"),
    [
        (("9/minute",), "9/60"),
        (("9/0.25 seconds",), "9/0.25"),
        ((9, 0.25), "9/0.25"),
        ((9, 60.0), "9/60"),
        (("9 tokens/minute",), "9 tokens/60"),
        (("9 tokens/month in UTC",), "9 tokens/month@UTC"),
    ],
)
def test_the_amount_stays_in_the_key_and_equal_quotas_have_equal_ones(
    quota: tuple[Any, ...], named: str
) -> None:
    assert prefix(remote("FixedWindow", *quota)) == f"sluicegate:fixed_window:{named}"


def test_a_zone_with_a_long_name_fits_into_the_key_and_stays_its_own() -> None:
    zone = "America/Argentina/ComodRivadavia"
    limiters = [
        remote("FixedWindow", text)
        for text in (f"1000000000/month in {zone}", f"1000000000/week in {zone}")
    ]
    names = [prefix(limiter) for limiter in limiters]
    assert len(set(names)) == 2
    for limiter, name in zip(limiters, names, strict=True):
        assert len(name) == 64
        assert name.startswith("sluicegate:fixed_window:1000000000/")
        assert prefix(copy.copy(limiter)) == name


@pytest.mark.parametrize("where", [sluicegate, in_redis])
def test_a_limit_too_large_for_a_log_gets_the_advice(where: Any) -> None:
    servers = [] if where is sluicegate else [NOWHERE]
    for quota in [(16_777_217, 60), ("16_777_217/minute",)]:
        with pytest.raises(ValueError, match=r"16,777,216.*: a SegmentedWindow holds more"):
            where.SlidingWindowRateLimiter(*servers, *quota)
    with pytest.raises(ValueError, match=r"got 0$"):
        where.SlidingWindowRateLimiter(*servers, 0, 60)
