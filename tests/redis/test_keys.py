"""What keys are called in Redis, who shares a quota, and what a client costs the server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis.asyncio

from polling import until
from redis_programs import FOREVER, every_kind, run
from redis_servers import Server
from sluicegate import TokenBucketConfig
from sluicegate.redis import (
    AsyncLimiter,
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

Make = Callable[..., AsyncLimiter]
WINDOWS = (FixedWindow, SegmentedWindow, SlidingWindowCounter, SlidingWindowRateLimiter)
KEYS = [
    "",
    " ",
    "a",
    "A",
    "ä",
    "a\0",
    "a\r\nDEL b",
    "\ud800",
    "\udfff",
    "\U0001f6a6",
    "{",
    "}",
    "{}",
    "a{b}c",
    "{a}",
    "sha256:a",
    ":{a}",
    "x" * 96,
    "x" * 97,
    "x" * 2**20,
    "y" + "x" * (2**20 - 1),
    "{" * 2**20,
]


@every_kind
@pytest.mark.parametrize("prefix", [None, "", "p"])
def test_keys_may_be_any_text_and_are_apart(
    make: Make, prefix: str | None, redis_server: Server
) -> None:
    async def main() -> None:
        limiter = make(redis_server.url, prefix=prefix, on_error="raise", remember=False)
        for key in KEYS:
            assert await limiter.check(key, 3), ascii(key[:10])
        assert not any(await limiter.check_many(KEYS))
        assert redis_server.command("DBSIZE") == len(KEYS)
        for key in KEYS:
            await limiter.reset(key)

    run(main())
    assert redis_server.command("DBSIZE") == 0


def longest_name(server: Server) -> int:
    return max(len(name) for name in server.command("KEYS", "*"))


def test_names_of_long_keys_are_short(redis_server: Server) -> None:
    async def main() -> None:
        limiter = FixedWindow(redis_server.url, 3, FOREVER, prefix="p" * 29)
        await limiter.check_many(["x" * length for length in (1, 95, 96, 97, 1000)])

    run(main())
    print(f"longest name: {longest_name(redis_server)} bytes")
    assert longest_name(redis_server) <= 128


@pytest.mark.parametrize("prefix", [None, "p" * 64, "é" * 32])
def test_names_are_short_whatever_the_prefix(prefix: str | None, redis_server: Server) -> None:
    async def main() -> None:
        limiter = SlidingWindowCounter(redis_server.url, 10**9, FOREVER, prefix=prefix)
        await limiter.check_many(["x" * length for length in (1, 64, 96, 1000)])

    run(main())
    assert longest_name(redis_server) <= 128


@every_kind
def test_equal_quotas_and_equal_prefixes_are_shared(make: Make, redis_server: Server) -> None:
    async def main() -> None:
        client = redis.asyncio.from_url(redis_server.url)
        assert await make(redis_server.url).check("a", 3)
        assert not await make(client).check("a")
        await client.aclose()
        assert (await make(redis_server.url, 4).check("a")).remaining == 3
        assert (await make(redis_server.url, prefix="b").check("a")).remaining == 2
        # A bucket keeps the time at which it is full, the others what was spent.
        assert (await make(redis_server.url, 5, prefix="b").check("a")).remaining == 3

    run(main())


def test_algorithms_are_apart(redis_server: Server) -> None:
    async def main() -> None:
        for kind in WINDOWS:
            limiter = kind(redis_server.url, 1, FOREVER, on_error="raise")
            assert [bool(await limiter.check("a")) for _ in range(2)] == [True, False]

    run(main())


def test_a_window_of_60_and_one_of_60_0_are_the_same_quota(redis_server: Server) -> None:
    async def main() -> None:
        assert await FixedWindow(redis_server.url, 1, 10**9).check("a")
        assert not await FixedWindow(redis_server.url, 1, 1e9).check("a")

    run(main())


def test_a_key_of_another_kind_falls_under_on_error(redis_server: Server) -> None:
    async def main() -> None:
        for kind in WINDOWS:
            limiter = kind(redis_server.url, 1, FOREVER, prefix="same")
            redis_server.command("FLUSHALL")
            redis_server.command("SET", "same:{text}", "no state")
            redis_server.command("SADD", "same:{set}", "no state")
            for key in ("text", "set"):
                decisions = [await limiter.check(key) for _ in range(2)]
                assert [(bool(each), each.store) for each in decisions] == [
                    (True, "local"),
                    (False, "local"),
                ]
            assert limiter.statistics().errors == 4
            assert (await limiter.check("fine")).store == "redis"

    run(main())


def test_a_client_costs_the_server_112_bytes(redis_server: Server) -> None:
    async def main() -> None:
        config = TokenBucketConfig(capacity=100, refill_rate=10)
        bucket = TokenBucket(redis_server.url, config, prefix="")
        await bucket.check("k" * 16)

    run(main())
    used = redis_server.command("MEMORY", "USAGE", "k" * 16)
    print(f"{redis_server.program.name}: {used} bytes for a bucket with a key of 16 bytes")
    # Redis 7 and older count an entry of their table as 16 to 24 bytes more.
    assert used <= (112 if redis_server.program.name.startswith("valkey") else 136)


def test_limiters_of_one_server_share_a_connection(redis_server: Server) -> None:
    def connections() -> int:
        return len(redis_server.command("CLIENT", "LIST").splitlines()) - 1

    async def main() -> None:
        limiters = [FixedWindow(redis_server.url, limit, FOREVER) for limit in range(1, 50)]
        limiters.append(FixedWindow(redis.asyncio.from_url(redis_server.url), 50, FOREVER))
        for limiter in limiters:
            assert (await limiter.check("a")).store == "redis"
        assert connections() == 1
        for limiter in limiters:
            assert connections() == 1
            await limiter.aclose()
        until(lambda: connections() == 0, "the connection closed")

    run(main())
