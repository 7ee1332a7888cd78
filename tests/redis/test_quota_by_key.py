"""A call may give its own quota: it decides that call, and what was spent stays spent."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from redis_load import commands
from redis_programs import connected, run
from redis_servers import Server
from sluicegate import Quota
from sluicegate import redis as in_redis
from sluicegate.redis import AsyncLimiter

NOWHERE = "redis://127.0.0.1:1"
WINDOWS = ["FixedWindow", "SegmentedWindow", "SlidingWindowCounter", "SlidingWindowRateLimiter"]
EVERY = [*WINDOWS, "RedisSlidingWindowRateLimiter", "TokenBucket"]
every = pytest.mark.parametrize("name", EVERY)
OWN, SMALL, LARGE = "10/week", "5/week", Quota("20/week")


def limiter_of(kind: str, server: Server, quota: Any = OWN, **options: Any) -> Any:
    return getattr(in_redis, kind)(server.url, quota, timeout=30, **options)


BAD: list[tuple[str, Any, type[Exception], str]] = [
    ("FixedWindow", "5/second", ValueError, "quota '5/second'.*'10/week'.*as in '5/week'"),
    ("FixedWindow", "5/week in UTC", ValueError, "as in '5/week'"),
    ("FixedWindow", "5/week burst 9", ValueError, "as in '5/week'"),
    ("SegmentedWindow", "5 concurrent", ValueError, "as in '5/week'"),
    ("SlidingWindowCounter", "unlimited", ValueError, "as in '10/week'"),
    ("SlidingWindowCounter", "5 tokens/week", ValueError, "counts requests.*'5/week'"),
    ("SlidingWindowRateLimiter", "16777217/week", ValueError, "16,777,216"),
    ("RedisSlidingWindowRateLimiter", "5/week; 9/day", ValueError, "2 quotas"),
    ("FixedWindow", "5/fortnight", ValueError, "'fortnight' is no period"),
    ("FixedWindow", "", ValueError, "'5/second'"),
    ("TokenBucket", "5 concurrent", ValueError, "'10/second burst 20'"),
    ("TokenBucket", "5/day in UTC", ValueError, "'10/second burst 20'"),
    ("TokenBucket", "5 tokens/second", ValueError, "counts requests"),
    *[("FixedWindow", wrong, TypeError, "'50/minute', got ") for wrong in (5, b"5/week", (5, 60))],
    ("TokenBucket", 5.0, TypeError, "a Quota or its text"),
]


@pytest.mark.parametrize(("name", "quota", "error", "says"), BAD)
def test_what_is_no_other_amount_is_refused_by_every_verb(
    name: str, quota: Any, error: type[Exception], says: str
) -> None:
    limiter = getattr(in_redis, name)(NOWHERE, OWN, on_error="raise")
    for verb in ("check", "peek", "wait"):
        with pytest.raises(error, match=says):
            asyncio.run(getattr(limiter, verb)("key", quota=quota))
        with pytest.raises(error, match=says):
            getattr(limiter, f"{verb}_sync")("key", quota=quota)
    with pytest.raises(error, match=says):
        asyncio.run(limiter.check_many(["a", "b"], quota=quota))
    with pytest.raises(error, match=says):
        limiter.check_many_sync(["a", "b"], quota=quota)


def test_a_unit_is_the_limiters_own() -> None:
    for name in ("FixedWindow", "TokenBucket"):
        limiter = getattr(in_redis, name)(NOWHERE, "10 tokens/week", on_error="open", timeout=0.001)
        assert limiter.check_sync("key", quota="5 tokens/week")
        for other in ("5/week", "5 mails/week"):
            with pytest.raises(ValueError, match=r"counts tokens.*'5 tokens/week'"):
                limiter.check_sync("key", quota=other)
        asyncio.run(limiter.set_quota("10 mails/week"))
        assert limiter.check_sync("key", quota="5 mails/week")


@every
def test_each_call_is_decided_by_its_own_quota(name: str, redis_server: Server) -> None:
    async def main() -> None:
        limiter: AsyncLimiter = limiter_of(name, redis_server)
        first = await limiter.check("key", 4, quota=SMALL)
        assert (first.allowed, first.limit, first.remaining) == (True, 5, 1)
        assert not await limiter.check("key", 2, quota=SMALL)
        plain = await limiter.check("key", 2)
        assert (plain.allowed, plain.limit, plain.remaining) == (True, 10, 4)
        large = await limiter.check("key", 9, quota=LARGE)
        assert (large.allowed, large.limit, large.remaining) == (True, 20, 5)
        assert not await limiter.check("key"), "15 of 10 are spent"
        assert not await limiter.peek("key", quota=SMALL)
        assert (await limiter.peek("other", quota=None)).remaining == 10
        with pytest.raises(ValueError, match=r"1 to the limit, 5, got 6"):
            await limiter.check("key", 6, quota=SMALL)
        assert await limiter.check("new", 20, quota=LARGE)

    run(main())


@every
def test_the_calls_that_block_and_those_of_many_keys_take_one(
    name: str, redis_server: Server
) -> None:
    limiter = limiter_of(name, redis_server, remember=False)
    assert limiter.check_sync("a", 5, quota=SMALL).remaining == 0
    assert limiter.peek_sync("a", 1, quota=LARGE).remaining == 15
    assert limiter.wait_sync("a", 10, 0, quota=LARGE).remaining == 5
    assert [one.remaining for one in limiter.check_many_sync(["b", "c"], 2, quota=SMALL)] == [3, 3]
    many = run(limiter.check_many(["b", "c"], 3, quota=LARGE))
    assert [(one.limit, one.remaining) for one in many] == [(20, 15), (20, 15)]


def test_the_verbs_by_other_names_take_one(redis_server: Server) -> None:
    async def main() -> None:
        article = limiter_of("RedisSlidingWindowRateLimiter", redis_server)
        assert await article.is_allowed("a", 15, quota=LARGE)
        assert await article.get_remaining("a", quota=LARGE) == 5
        assert await article.get_remaining("a") == 0
        windows = limiter_of("FixedWindow", redis_server)
        assert (await windows.is_allowed("a", 15, quota=LARGE)).remaining == 5
        bucket = limiter_of("TokenBucket", redis_server)
        assert (await bucket.acquire("a", 15, quota=LARGE)).remaining == 5
        assert (await bucket.acquire(1, "b", quota="1/hour burst 3")).limit == 3

    run(main())


@every
def test_a_peek_and_a_refund_leave_what_another_quota_spent(
    name: str, redis_server: Server
) -> None:
    limiter = limiter_of(name, redis_server, remember=False)
    assert limiter.check_sync("key", 18, quota=LARGE)
    (stored,) = redis_server.command("KEYS", "*")
    before = redis_server.command("DUMP", stored)
    assert not limiter.peek_sync("key", quota=SMALL)
    assert redis_server.command("DUMP", stored) == before
    limiter.refund_sync("key", 3)
    assert limiter.peek_sync("key", quota=LARGE).remaining == 5


def test_a_calendar_keeps_its_days(moved_server: Server) -> None:
    moved_server.set_time(1_774_738_800 + 60)  # a minute after midnight in Berlin
    own, large = "2/day in Europe/Berlin", "5/day in Europe/Berlin"
    limiter = limiter_of("FixedWindow", moved_server, own, remember=False)
    assert [bool(limiter.check_sync("key")) for _ in range(3)] == [True, True, False]
    decision = limiter.check_sync("key", 3, quota=large)
    assert (decision.allowed, decision.remaining) == (True, 0)
    assert limiter.check_sync("key", 1, quota=large).retry_after == 23 * 3600 - 60
    with pytest.raises(ValueError, match="as in '5/day in Europe/Berlin'"):
        limiter.check_sync("key", quota="5/day in UTC")
    moved_server.advance(23 * 3600)
    assert limiter.check_sync("key", 5, quota=large)


@every
def test_a_refusal_is_remembered_for_the_quota_that_refused(
    name: str, redis_server: Server
) -> None:
    async def main() -> None:
        limiter = limiter_of(name, redis_server)
        await connected(limiter)
        assert await limiter.check("key", 5, quota=SMALL)
        assert not await limiter.check("key", 1, quota=SMALL)
        before = commands(redis_server)
        assert (await limiter.check("key", 1, quota=Quota(SMALL))).store == "remembered"
        assert commands(redis_server)["evalsha"] == before["evalsha"]
        assert (await limiter.check("key", 1, quota=LARGE)).store == "redis"
        assert (await limiter.check("key", 1)).store == "redis"
        assert not await limiter.check("key", 1, quota=SMALL)
        await limiter.set_quota("10/week")
        assert (await limiter.check("key", 1, quota=SMALL)).store == "redis", "all are forgotten"

    run(main())


def test_waiters_are_each_decided_by_their_own_quota_in_their_order(redis_server: Server) -> None:
    async def main() -> None:
        limiter = limiter_of("SlidingWindowRateLimiter", redis_server, "1/0.05 seconds")
        served: list[int] = []

        async def wait(number: int, quota: str | None) -> None:
            assert await limiter.wait("key", quota=quota)
            served.append(number)

        assert await limiter.check("key")
        plans = [None, "3/0.05 seconds", None, "2/0.05 seconds"]
        await asyncio.gather(*[wait(number, quota) for number, quota in enumerate(plans)])
        assert served == [0, 1, 2, 3]
        refused = await limiter.wait("new", 2, timeout=0, quota="2/0.05 seconds")
        assert refused.limit == 2

    run(main())


def test_threads_wait_under_their_own_quota(redis_server: Server) -> None:
    limiter = limiter_of("SlidingWindowRateLimiter", redis_server, "1/week")
    assert limiter.check_sync("key")
    assert not limiter.wait_sync("key", timeout=0.01)
    admitted: list[bool] = []
    threads = [
        threading.Thread(
            target=lambda: admitted.append(bool(limiter.wait_sync("key", 1, 30, quota="9/week")))
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert admitted == [True] * 4


@pytest.mark.parametrize("name", [*WINDOWS, "TokenBucket"])
def test_a_changed_quota_of_all_keys_keeps_what_was_spent(name: str, redis_server: Server) -> None:
    """Also that of another process, as after a redeploy."""
    options = {"remember": False, "name": "api"}
    limiter = limiter_of(name, redis_server, **options)
    assert limiter.check_sync("key", 7)
    run(limiter.set_quota(LARGE))
    assert limiter.peek_sync("key").remaining == 13
    redeployed = limiter_of(name, redis_server, "8/week", **options)
    assert redeployed.check_sync("key").remaining == 0
