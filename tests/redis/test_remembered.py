"""A refused key is remembered: it costs the server nothing, and nobody an admission."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from redis_load import AGES, LIMITERS, Lag, RoundTrips, commands, run
from redis_servers import Server
from sluicegate.redis import (
    AsyncLimiter,
    FixedWindow,
)

ALGORITHMS = pytest.mark.parametrize("algorithm", LIMITERS)


def limiter_of(
    algorithm: str, server: Server, limit: int, window: float, remember: bool = True
) -> AsyncLimiter:
    make = LIMITERS[algorithm]
    rest: dict[str, Any] = {"remember": remember, "on_error": "raise", "prefix": "p", "timeout": 5}
    return make(server.url, limit, window, **rest)


@ALGORITHMS
def test_a_flood_costs_the_server_nothing(redis_server: Server, algorithm: str) -> None:
    async def main() -> None:
        limiter = limiter_of(algorithm, redis_server, 5, AGES)
        assert await limiter.check("key", 4)
        assert not await limiter.check("key", 3)
        before = commands(redis_server)
        flood = [await limiter.check("key", 3 + index % 3) for index in range(1000)]
        asked = (commands(redis_server) - before)["evalsha"]
        print(f"{algorithm}: {asked} commands for {len(flood)} refused calls")
        assert not any(flood)
        assert {each.store for each in flood} == {"remembered", "redis"} or asked == 0
        # Once for each cost, and again each second.
        assert asked <= 8
        assert limiter.statistics().remembered == len(flood) - asked
        assert await limiter.check("key", 1), "what costs less is asked for"

    run(main())


@ALGORITHMS
def test_a_larger_cost_is_told_how_long_it_takes(redis_server: Server, algorithm: str) -> None:
    """Not how long a smaller one does that was refused before."""

    async def main() -> None:
        mine = limiter_of(algorithm, redis_server, 100, 100)
        other = limiter_of(algorithm, redis_server, 100, 100, remember=False)
        for _ in range(5):
            assert await mine.check("key", 20)
            await asyncio.sleep(0.02)
        for cost in (1, 30, 100, 1, 30, 100, 7):
            decision, truth = await mine.check("key", cost), await other.peek("key", cost)
            assert (bool(decision), decision.remaining) == (bool(truth), truth.remaining)
            # A cost of which it was told is remembered for a second at most.
            assert abs(decision.retry_after - truth.retry_after) <= 1, (cost, decision, truth)
        assert mine.statistics().remembered > 0

    run(main())


@ALGORITHMS
def test_nothing_is_refused_that_the_server_admits(redis_server: Server, algorithm: str) -> None:
    async def main() -> None:
        mine = limiter_of(algorithm, redis_server, 3, 0.03)
        other = limiter_of(algorithm, redis_server, 3, 0.03, remember=False)
        wrong = admitted = 0
        while admitted < 30 or mine.statistics().remembered < 30:
            # Nobody spends in between, and quotas only come back as time goes by.
            fits = await other.peek("key")
            decision = await mine.check("key")
            wrong += bool(fits) and not decision
            admitted += bool(decision)
        remembered = mine.statistics().remembered
        print(f"{algorithm}: {admitted} admitted, {remembered} remembered, {wrong} wrongly refused")
        assert not wrong

    run(main())


@pytest.mark.parametrize("back", ["refund", "reset", "set_quota"])
def test_what_is_given_back_here_is_seen_at_once(redis_server: Server, back: str) -> None:
    async def main() -> None:
        limiter = FixedWindow(redis_server.url, 5, AGES, timeout=5, prefix="p")
        for _ in range(20):
            await limiter.check("key", 5)
            assert (await limiter.check("key", 1)).allowed is False
            assert (await limiter.check("key", 1)).store in ("remembered", "redis")
            if back == "refund":
                await limiter.refund("key", 5)
            elif back == "reset":
                await limiter.reset("key")
            else:
                await limiter.set_quota(10, AGES)
            assert await limiter.check("key", 5)
            await limiter.reset("key")
            await limiter.set_quota(5, AGES)

    run(main())


def test_what_is_given_back_while_refusals_are_on_their_way(redis_server: Server) -> None:
    async def main() -> None:
        limiter = FixedWindow(redis_server.url, 1, AGES, timeout=5, prefix="p")
        for _ in range(200):
            await limiter.check("key")
            checks = [asyncio.ensure_future(limiter.check("key")) for _ in range(5)]
            reset = asyncio.ensure_future(limiter.reset("key"))
            later = [asyncio.ensure_future(limiter.check("key")) for _ in range(3)]
            await asyncio.gather(*checks, reset)
            assert sum(map(bool, [await call for call in (*checks, *later)])) == 1
            await limiter.reset("key")

    run(main())


def test_what_is_given_back_elsewhere_is_seen_within_a_second(redis_server: Server) -> None:
    async def main() -> None:
        here = FixedWindow(redis_server.url, 5, AGES, timeout=5, prefix="p")
        elsewhere = FixedWindow(redis_server.url, 5, AGES, timeout=5, prefix="p")
        await here.check("key", 5)
        assert not await here.check("key", 1)
        await elsewhere.reset("key")
        begun = time.monotonic()
        assert (await here.check("key", 1)).store == "remembered"
        async with Lag() as lag, RoundTrips(redis_server) as others:
            while not await here.check("key", 1):
                await asyncio.sleep(0.005)
                assert time.monotonic() - begun < 5, "never seen"
            seen = time.monotonic() - begun
        print(f"seen after {seen:.3f} s (this machine is {lag.worst:.3f} s late)")
        assert seen <= 1.05 + 2 * (lag.worst + others.worst)

    run(main())
