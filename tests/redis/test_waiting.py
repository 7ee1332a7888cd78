"""Waiting for a limiter in Redis: in order, no longer than wanted, and leaving nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Awaitable
from typing import Any

import pytest

from redis_programs import FOREVER, every_loop, run
from redis_servers import Server
from sluicegate import TokenBucketConfig
from sluicegate.redis import FixedWindow, TokenBucket


def bucket(server: Server, per_second: float, **options: Any) -> TokenBucket:
    config = TokenBucketConfig(capacity=1, refill_rate=per_second)
    return TokenBucket(server.url, config, prefix="w", **options)


async def ends_within(seconds: float, awaitable: Awaitable[Any]) -> Any:
    return await asyncio.wait_for(awaitable, seconds)


@every_loop
@pytest.mark.parametrize("timeouts", [[None], [30], [None, 30]])
def test_who_comes_first_is_served_first(
    timeouts: list[float | None], new_loop: Any, redis_server: Server
) -> None:
    async def main() -> None:
        limiter, served = bucket(redis_server, 200), list[int]()

        async def one(number: int) -> None:
            assert await limiter.wait("a", timeout=timeouts[number % len(timeouts)])
            served.append(number)

        tasks = [asyncio.create_task(one(number)) for number in range(30)]
        await asyncio.gather(*tasks)
        assert served == list(range(30))
        assert not len(limiter._places)
        assert limiter.statistics().admitted == 30

    run(main(), new_loop)


def test_a_wait_that_would_be_too_long_is_refused_at_once(redis_server: Server) -> None:
    async def main() -> None:
        limiter = bucket(redis_server, 1e-3)
        await limiter.check("a")
        begun = time.monotonic()
        refused = await limiter.wait("a", timeout=100)
        assert not refused
        assert 999 < refused.retry_after <= 1000
        assert time.monotonic() - begun < 50
        assert not await limiter.wait("a", timeout=0)
        first = asyncio.create_task(limiter.wait("a"))
        await asyncio.sleep(0.05)
        for timeout in (0, 0.05):
            assert not await ends_within(30, limiter.wait("a", timeout=timeout))
        assert not first.done()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert not len(limiter._places)

    run(main())


@every_loop
def test_who_waits_behind_another_is_refused_as_soon_as_that_is_told(
    new_loop: Any, redis_server: Server
) -> None:
    async def main() -> None:
        limiter = TokenBucket(redis_server.url, TokenBucketConfig(5, 0.01), timeout=30)
        await limiter.check("a", 5)
        waits = [(5, None), (1, 300), (1, 1000), (1, None)]
        first, impatient, patient, last = (
            asyncio.create_task(limiter.wait("a", cost, timeout)) for cost, timeout in waits
        )
        refused = await ends_within(30, impatient)
        assert not refused
        assert 400 < refused.retry_after <= 500  # its own 100 s begin when the first is served
        refused = await ends_within(30, limiter.wait("a", timeout=300))
        assert 400 < refused.retry_after <= 500
        assert [task.done() for task in (first, patient, last)] == [False] * 3
        first.cancel()
        await asyncio.wait([first])
        alone = asyncio.create_task(limiter.wait("a", timeout=300))
        done, _ = await asyncio.wait([patient, last, alone], timeout=0.1)
        assert not done
        for task in (patient, last, alone):
            task.cancel()
        await asyncio.wait([patient, last, alone])
        assert not len(limiter._places)

    run(main(), new_loop)


@every_loop
def test_who_leaves_spends_nothing_and_frees_the_line(new_loop: Any, redis_server: Server) -> None:
    async def main() -> None:
        limiter = bucket(redis_server, 5, remember=False)
        await limiter.check("a")
        tasks = [asyncio.create_task(limiter.wait("a")) for _ in range(10)]
        await asyncio.sleep(0.05)
        for task in tasks[:5] + tasks[6:]:
            task.cancel()
        assert await ends_within(10, tasks[5])
        assert [task.cancelled() for task in tasks] == [True] * 5 + [False] + [True] * 4
        assert limiter.statistics().admitted == 2
        assert not len(limiter._places)

    run(main(), new_loop)


def test_a_failure_while_waiting_frees_the_line(redis_server: Server) -> None:
    async def main() -> None:
        limiter = bucket(redis_server, 1e-3, on_error="raise")
        redis_server.command("SADD", "w:{a}", "no state")
        results = await asyncio.gather(
            *[limiter.wait("a") for _ in range(3)], return_exceptions=True
        )
        assert [type(result).__name__ for result in results] == ["StoreError"] * 3
        assert not len(limiter._places)

    run(main())


def test_a_newcomer_waits_no_longer_than_it_wants(redis_server: Server) -> None:
    async def greedy() -> float:
        limiter = bucket(redis_server, 1)
        await limiter.check("a")

        async def second() -> None:
            await asyncio.sleep(0.1)
            await limiter.wait("a")

        task = asyncio.create_task(second())
        assert await limiter.wait("a")
        begun = time.monotonic()  # the second is the first of the line now, for a second
        assert not await limiter.wait("a", timeout=0.05)
        task.cancel()
        return time.monotonic() - begun

    waited = run(greedy())
    print(f"a wait with a timeout of 0.05 s took {waited:.2f} s")
    assert waited < 0.5


def test_a_cancellation_is_never_swallowed(redis_server: Server) -> None:
    async def main() -> list[str]:
        ends = []
        for turns in range(12):
            limiter = TokenBucket(
                redis_server.url, TokenBucketConfig(2, 1000), prefix=f"turns{turns}"
            )
            first = asyncio.create_task(limiter.wait("a"))
            await asyncio.sleep(0)
            second = asyncio.create_task(limiter.wait("a", timeout=5))
            await first
            for _ in range(turns):
                await asyncio.sleep(0)
            if second.done():
                break
            second.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await second
            ends.append("cancelled" if second.cancelled() else "went on")
            assert not len(limiter._places)
        return ends

    ends = run(main())
    print(f"cancelled 0, 1, 2 ... turns after its turn came: {ends}")
    assert "went on" not in ends


@pytest.mark.parametrize("timeout", [10**400, 1e308, math.inf, None])
def test_a_timeout_may_be_longer_than_any_life(timeout: Any, redis_server: Server) -> None:
    async def main() -> None:
        limiter = FixedWindow(redis_server.url, 1, 0.05, on_error="raise")
        for _ in range(3):
            assert await ends_within(5, limiter.wait("a", timeout=timeout))

    run(main())


@pytest.mark.parametrize(
    ("key", "cost", "error"), [("a", 2, ValueError), ("a", 0, ValueError), (["a"], 1, TypeError)]
)
def test_wrong_arguments_need_not_queue(
    key: Any, cost: int, error: type[Exception], redis_server: Server
) -> None:
    async def main() -> None:
        limiter = FixedWindow(redis_server.url, 1, FOREVER)
        await limiter.check("a")
        first = asyncio.create_task(limiter.wait("a"))
        await asyncio.sleep(0.05)
        with pytest.raises(error, match=r"key must be a str|cost"):
            await ends_within(1, limiter.wait(key, cost))
        first.cancel()

    run(main())
