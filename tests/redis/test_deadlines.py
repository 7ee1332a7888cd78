"""From when a deadline counts: an event loop that was blocked, and batches of many keys."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

import pytest

from redis_load import AGES, GRACE, PLENTY, Lag, answered_by, run
from redis_servers import Server
from sluicegate import Decision
from sluicegate.redis import FixedWindow, SlidingWindowRateLimiter, StoreError

TIMEOUT = 1.0
BLOCKED = 1.3


def test_a_loop_that_blocks_among_calls_costs_none_of_them(redis_server: Server) -> None:
    async def main() -> None:
        async with FixedWindow(redis_server.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await answered_by(limiter)
            for blocks in range(3):

                async def one(number: int, blocks: int = blocks) -> Decision:
                    if number == 10 * blocks:
                        time.sleep(BLOCKED)  # noqa: ASYNC251
                    return await limiter.check(f"{blocks} {number}")

                decisions = await asyncio.gather(*[one(number) for number in range(21)])
                decisions.append(await limiter.check(f"{blocks} after"))
                assert {decision.store for decision in decisions} == {"redis"}
                assert {decision.remaining for decision in decisions} == {PLENTY - 1}
            assert limiter.statistics().errors == 0

    run(main())


def test_an_answer_in_time_counts_however_late_it_is_collected(redis_server: Server) -> None:
    async def main() -> None:
        async with FixedWindow(redis_server.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await answered_by(limiter)
            calls = [asyncio.ensure_future(limiter.check(str(number))) for number in range(100)]
            for _ in range(2):
                await asyncio.sleep(0)  # they are on their way
            time.sleep(BLOCKED)  # noqa: ASYNC251
            assert {call.store for call in await asyncio.gather(*calls)} == {"redis"}

    run(main())


def test_thirty_thousand_keys_are_all_decided_by_the_server(redis_server: Server) -> None:
    names = [str(number) for number in range(30_000)]

    async def main() -> None:
        async with FixedWindow(redis_server.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            await answered_by(limiter)
            begun = time.monotonic()
            decisions = await limiter.check_many(names)
            print(f"{len(names)} keys in {time.monotonic() - begun:.2f} s")
            assert {decision.store for decision in decisions} == {"redis"}
            assert {decision.remaining for decision in decisions} == {PLENTY - 1}
            assert len(decisions) == len(names)

    run(main())
    assert redis_server.command("DBSIZE") == len(names) + 1


@pytest.mark.parametrize("remember", [False, True])
def test_many_of_one_key_are_decided_in_their_order(remember: bool, redis_server: Server) -> None:
    async def main() -> None:
        limiter = SlidingWindowRateLimiter(
            redis_server.url, 1_700, AGES, timeout=30, remember=remember, on_error="raise"
        )
        async with limiter:
            decisions = await limiter.check_many(["key"] * 3_000)
        left = [decision.remaining for decision in decisions]
        assert [decision.allowed for decision in decisions] == [True] * 1_700 + [False] * 1_300
        assert all(later == max(0, sooner - 1) for sooner, later in pairwise(left))

    run(main())


def test_a_cancelled_batch_sends_one_chunk_at_most(redis_server: Server) -> None:
    async def main() -> None:
        async with FixedWindow(redis_server.url, PLENTY, AGES, timeout=30) as limiter:
            await answered_by(limiter)
            redis_server.stop()
            batch = asyncio.ensure_future(limiter.check_many(map(str, range(30_000))))
            await asyncio.sleep(0.3)
            batch.cancel()
            with pytest.raises(asyncio.CancelledError):
                await batch
            redis_server.cont()
            await limiter.check("after")

    run(main())
    spent = redis_server.command("DBSIZE") - 2
    print(f"{spent} of 30,000 keys were spent after all")
    assert spent <= 500


def test_a_batch_to_a_server_that_hangs_takes_a_deadline_a_chunk(redis_server: Server) -> None:
    timeout, count = 0.2, 1_200  # chunks of 400

    async def main() -> None:
        async with FixedWindow(redis_server.url, PLENTY, AGES, timeout=timeout) as limiter:
            await answered_by(limiter)
            redis_server.stop()
            async with Lag() as lag:
                begun = time.monotonic()
                decisions = await limiter.check_many(map(str, range(count)))
                taken = time.monotonic() - begun
            redis_server.cont()
            assert {decision.store for decision in decisions} == {"local"}
            assert taken <= 3 * (timeout + GRACE + lag.worst)

    run(main())


def test_a_bad_key_is_found_before_anything_is_spent(redis_server: Server) -> None:
    async def main() -> None:
        async with FixedWindow(redis_server.url, PLENTY, AGES, timeout=30) as limiter:
            await limiter.peek("key")
            with pytest.raises(TypeError, match="key must be a str, got int 7"):
                await limiter.check_many([*map(str, range(2_000)), 7])  # type: ignore[list-item]
            with pytest.raises(ValueError, match="cost"):
                await limiter.check_many(map(str, range(2_000)), PLENTY + 1)

    run(main())
    assert redis_server.command("DBSIZE") == 0


def test_a_batch_that_fails_raises_and_sends_no_more(redis_server: Server) -> None:
    async def main() -> int:
        url = redis_server.url
        async with FixedWindow(url, PLENTY, AGES, timeout=0.25, on_error="raise") as limiter:
            await answered_by(limiter)
            redis_server.stop()
            with pytest.raises(StoreError):
                await limiter.check_many(map(str, range(30_000)))
            redis_server.cont()
            await answered_by(limiter)
            return limiter.statistics().errors

    assert run(main()) <= 600
