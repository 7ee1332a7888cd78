"""Calls that are cancelled: the others get their own answers, and nothing hangs."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import random
from typing import Any

from redis_programs import connected, every_loop, run
from redis_servers import Server
from sluicegate import Decision
from sluicegate.redis import FixedWindow, StoreError

CANCELLATIONS = 1000


def limiter_of(server: Server, limit: int, **options: Any) -> FixedWindow:
    return FixedWindow(server.url, limit, 1e9, **{"timeout": 30, "on_error": "raise", **options})


async def is_cancelled(task: asyncio.Task[Any]) -> bool:
    """Cancel it and see; a task that was done already keeps its answer."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    return task.cancelled()


@every_loop
def test_a_call_cancelled_at_any_point(new_loop: Any, redis_server: Server) -> None:
    async def main() -> list[bool]:
        limiter, ends = limiter_of(redis_server, 1000), []
        await connected(limiter)
        for turns in range(300):
            tasks = [asyncio.ensure_future(limiter.check(f"{turns} {i}", i)) for i in range(1, 12)]
            for turn in range(turns):
                await asyncio.sleep(0 if turn < 4 else 0.002)
            ends.append(await is_cancelled(tasks[turns % 11]))
            del tasks[turns % 11]
            answers = await asyncio.gather(*tasks)
            costs = [cost for cost in range(1, 12) if cost != turns % 11 + 1]
            assert [1000 - answer.remaining for answer in answers] == costs
            if turns > 8 and not ends[-1]:
                break
        return ends

    ends = run(main(), new_loop)
    print(f"cancelled after 0, 1, 2 ... turns: {ends.count(True)} of {len(ends)} in time")
    assert ends[0]
    assert not ends[-1]


@every_loop
def test_a_thousand_cancellations_under_load(new_loop: Any, redis_server: Server) -> None:
    """Each answer is recognised by its limit and its cost, which no other call has."""
    chance, cancelled, answered = random.Random(1), [0], [0]

    async def one(limiter: FixedWindow, turn: int) -> None:
        cost = chance.randint(1, 100_000)
        task = asyncio.ensure_future(limiter.check(str(turn), cost))
        if chance.random() < 0.5:
            await asyncio.sleep(chance.choice([0, 0, 0.0001, 0.0005, 0.001, 0.002]))
            if await is_cancelled(task):
                cancelled[0] += 1
                return
        decision = await task
        answered[0] += 1
        assert decision.limit == limiter.limit
        assert decision.remaining == limiter.limit - cost

    async def client(number: int) -> None:
        limiter, turn = limiter_of(redis_server, 100_000 + number), 0
        while cancelled[0] < CANCELLATIONS:
            await one(limiter, turn)
            turn += 1
        counts = limiter.statistics()
        assert counts.admitted <= turn
        assert (counts.refused, counts.errors) == (0, 0)

    async def main() -> None:
        await connected(limiter_of(redis_server, 1))
        await asyncio.gather(*[client(number) for number in range(50)])

    run(main(), new_loop)
    print(f"{cancelled[0]} calls cancelled, {answered[0]} answered, each with its own answer")
    assert answered[0] > 100


@every_loop
def test_a_late_answer_reaches_nobody(new_loop: Any, redis_server: Server) -> None:
    async def main() -> list[Decision]:
        limiters = [limiter_of(redis_server, 1000 + number) for number in range(50)]
        await connected(limiters[0])
        redis_server.stop()
        late = [asyncio.ensure_future(limiter.check("a", 7)) for limiter in limiters]
        await asyncio.sleep(0.02)
        for task in late:
            assert await is_cancelled(task)
        tasks = [asyncio.ensure_future(limiter.check("a")) for limiter in limiters]
        await asyncio.sleep(0.02)
        redis_server.cont()
        return await asyncio.gather(*tasks)

    # The late ones were spent: they had been sent before they were cancelled.
    answers = run(main(), new_loop)
    assert [answer.limit for answer in answers] == list(range(1000, 1050))
    assert [answer.remaining for answer in answers] == list(range(992, 1042))


@every_loop
def test_a_cancelled_batch_or_ping_leaves_nothing_behind(
    new_loop: Any, redis_server: Server
) -> None:
    async def main() -> None:
        limiter, said = limiter_of(redis_server, 1000), list[Any]()
        asyncio.get_running_loop().set_exception_handler(lambda _, about: said.append(about))
        await connected(limiter)
        for turns in range(12):
            for call in (limiter.check_many(["a"] * 20), limiter.ping(30)):
                task = asyncio.ensure_future(call)
                for _ in range(turns):
                    await asyncio.sleep(0.0002)
                await is_cancelled(task)
        assert (await limiter.check("b")).remaining == 999
        assert (await limiter.ping(30)).split()[0] in {"redis", "valkey"}
        assert said == []

    run(main(), new_loop)


def test_a_failed_batch_says_so_once() -> None:
    async def main() -> None:
        said = list[Any]()
        asyncio.get_running_loop().set_exception_handler(lambda _, about: said.append(about))
        limiter = FixedWindow("redis://127.0.0.1:1", 3, 1e9, on_error="raise")
        with contextlib.suppress(StoreError):
            await limiter.check_many(["a", "b", "c"])
        await asyncio.sleep(0.01)
        gc.collect()
        assert said == []

    run(main())
