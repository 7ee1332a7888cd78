"""Event loops that use one limiter: one after the other, at once in threads, closed too early."""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from redis_programs import CONNECTED, connected, every_kind, every_loop, program, run
from redis_servers import Server
from sluicegate import TokenBucketConfig
from sluicegate.redis import AsyncLimiter, FixedWindow, TokenBucket

Make = Callable[..., AsyncLimiter]
LIMIT = 100

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def in_threads(count: int, work: Callable[[int], Any]) -> list[Any]:
    """What ``work(number)`` gave in each of so many threads, begun together."""
    begin, results = threading.Barrier(count), list[Any]([None] * count)

    def one(number: int) -> None:
        begin.wait(30)
        try:
            results[number] = work(number)
        except BaseException as error:
            results[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return results


@every_loop
@every_kind
def test_four_loops_admit_exactly_the_limit(
    make: Make, new_loop: Any, redis_server: Server
) -> None:
    limiter = make(redis_server.url, LIMIT, on_error="raise")

    async def main() -> int:
        async def task() -> int:
            return sum([bool(await limiter.check("a")) for _ in range(20)])

        await connected(limiter)
        return sum(await asyncio.gather(*[task() for _ in range(4)]))

    admitted = in_threads(4, lambda _: run(main(), new_loop))
    print(f"4 loops x 4 tasks, limit {LIMIT}: {admitted} admitted")
    assert sum(admitted) == LIMIT


@every_loop
def test_every_loop_gets_its_own_answers(new_loop: Any, redis_server: Server) -> None:
    """An answer is recognised by its limit, which is its loop's, and by its cost."""
    limiters = [
        TokenBucket(
            redis_server.url,
            TokenBucketConfig(10_000 + number, 1e-4),
            timeout=30,
            on_error="raise",
        )
        for number in range(6)
    ]

    async def main(number: int) -> int:
        chance, limiter = random.Random(number), limiters[number]

        async def task(which: int) -> None:
            for turn in range(20):
                cost = chance.randint(1, 10_000)
                decision = await limiter.check(f"{which} {turn}", cost)
                assert decision.limit == 10_000 + number
                assert decision.remaining == decision.limit - cost

        await connected(limiter)
        await asyncio.gather(*[task(which) for which in range(20)])
        return limiter.statistics().admitted

    assert in_threads(6, lambda number: run(main(number), new_loop)) == [400] * 6


ONE_AFTER_THE_OTHER = """
import asyncio, gc, os, sys
from pathlib import Path
from sluicegate.redis import FixedWindow
if sys.argv[2] == "uvloop":
    import uvloop
    new_loop = uvloop.new_event_loop
else:
    new_loop = asyncio.new_event_loop
limiter = FixedWindow(sys.argv[1], 1000, 1e9, timeout=30, on_error="raise")
async def main():
    await connected(limiter)
    await asyncio.gather(*[limiter.check("a") for _ in range(10)])
    return (await limiter.check("a")).remaining
def turn():
    loop = new_loop()
    try:
        return loop.run_until_complete(main())
    finally:
        loop.close()
def owned():
    gc.collect()
    names = [Path(task, "comm").read_text() for task in Path("/proc/self/task").iterdir()]
    return len(os.listdir("/proc/self/fd")), names.count("sluicegate-io\\n"), len(names)
turn()
before = owned()
assert [turn() for _ in range(50)] == list(range(978, 428, -11))
after = owned()
# Some more threads come and go: those that resolve names.
assert before[0] == after[0] and after[1] == 1 and after[2] < before[2] + 10, (before, after)
print("descriptors, threads of ours, threads: before", before, "after", after)
"""


@on_linux
@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_fifty_loops_one_after_the_other_leak_nothing(kind: str, redis_server: Server) -> None:
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    print(program(CONNECTED + ONE_AFTER_THE_OTHER, redis_server.url, kind))


@every_loop
def test_a_loop_closed_with_calls_in_flight_is_forgotten(
    new_loop: Any, redis_server: Server
) -> None:
    limiter = FixedWindow(redis_server.url, 1000, 1e9, timeout=30, on_error="raise")
    closed = []

    async def begin(tasks: list[asyncio.Task[Any]]) -> None:
        await connected(limiter)
        await limiter.check("a")
        redis_server.stop()
        tasks += [asyncio.ensure_future(limiter.check("a")) for _ in range(30)]
        await asyncio.sleep(0.01)

    def leave_some() -> None:
        loop, tasks = new_loop(), list[asyncio.Task[Any]]()
        loop.run_until_complete(begin(tasks))
        loop.close()
        for task in tasks:
            assert not task.done()
            task._log_destroy_pending = False  # type: ignore[attr-defined]
        closed.append(weakref.ref(loop))

    async def after() -> list[int]:
        decisions = await asyncio.gather(*[limiter.check("b") for _ in range(30)])
        return sorted(decision.remaining for decision in decisions)

    for number in range(5):
        leave_some()
        redis_server.cont()
        begun = 1000 - 30 * number
        assert run(after(), new_loop) == list(range(begun - 30, begun))
    gc.collect()
    assert [ref() for ref in closed] == [None] * 5
    assert run(limiter.peek("a"), new_loop).remaining == 1000 - 5 * 31


def test_asyncios_debug_mode_has_nothing_to_say(
    redis_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.slow_callback_duration = 30
        async with FixedWindow(redis_server.url, 1000, 1e9, timeout=30) as limiter:
            await connected(limiter)
            await asyncio.gather(*[limiter.check("a") for _ in range(100)])
            await limiter.check_many(["a", "b"])
            assert await limiter.wait("a", timeout=1)
            await limiter.ping(30)

    asyncio.run(main(), debug=True)
    assert [record for record in caplog.records if record.levelname != "DEBUG"] == []


def test_without_a_loop_there_is_an_error_and_nothing_is_spent(redis_server: Server) -> None:
    limiter = FixedWindow(redis_server.url, 3, 1e9, timeout=30)
    for call in (limiter.check("a"), limiter.refund("a"), limiter.wait("a"), limiter.ping()):
        with pytest.raises(RuntimeError, match="need an asyncio event loop, and none runs here"):
            call.send(None)
    assert run(limiter.peek("a")).remaining == 3
    assert not len(limiter._places)
