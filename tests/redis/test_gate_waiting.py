"""Waiting at a gate in Redis: in order within a process, only where one is refused, and against others."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from in_loop import in_loop
from loops import loop_in_thread
from polling import until
from redis_servers import Server
from sluicegate import GateDecision, Limit, RateLimitError
from sluicegate.redis import Gate


@pytest.fixture
def gate(redis_server: Server) -> Iterator[Gate]:
    gate = Gate(
        redis_server.url,
        [Limit("1/hour", by="user"), Limit("2/second", by="org", name="org")],
        timeout=10,
        on_error="raise",
    )
    yield gate
    gate.close()


def keys(user: str | None, org: str | None = "o") -> dict[str, str | None]:
    return {"user": user, "org": org}


@in_loop
async def test_those_who_wait_go_in_order_and_hold_up_nobody_else(gate: Gate) -> None:
    await gate.reset(keys("slow"))
    assert await gate.check(keys("slow"))
    slow = asyncio.create_task(gate.wait(keys("slow")))
    await asyncio.sleep(0.05)
    served: list[int] = []

    async def one(number: int) -> None:
        assert await gate.wait(keys(f"u{number}"), timeout=30)
        served.append(number)

    tasks = []
    for number in range(7):
        tasks.append(asyncio.create_task(one(number)))
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert served == list(range(7))
    assert not slow.done(), "he waits for his own hour, and nobody for him"
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert not len(gate._places)
    refused = await gate.wait(keys("slow"), timeout=3_000)
    assert refused.refused_by[0] == "user/hour"


@in_loop
async def test_a_thousand_waiters_with_deadlines_have_few_timers(gate: Gate) -> None:
    await gate.reset(keys("slow"))
    assert await gate.check(keys("slow"))
    waiting = [asyncio.create_task(gate.wait(keys("slow"), timeout=9_000)) for _ in range(1_000)]
    for _ in range(500):
        if len(gate._places) == 1_000:
            break
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.2)
    assert not any(task.done() for task in waiting)
    loop = asyncio.get_running_loop()
    assert len(getattr(loop, "_scheduled", ())) < 100
    soon = asyncio.create_task(gate.wait(keys("slow"), timeout=3_600))
    waiting[0].cancel()
    await asyncio.sleep(0.05)
    assert not soon.done()
    for task in (*waiting, soon):
        task.cancel()
    await asyncio.gather(*waiting, soon, return_exceptions=True)
    assert not len(gate._places)


def in_line(gate: Gate) -> int:
    """How many wait for their turn, of those who are there: others still ask."""
    return sum(len(line.numbers) for line in list(gate._places.lines.lines.values()))


def test_threads_go_in_order(redis_server: Server) -> None:
    gate = Gate(redis_server.url, Limit("1/hour", by="org"), name="threads", timeout=10)
    assert gate.check_sync("o")
    served: list[int] = []

    def one(number: int) -> None:
        assert gate.wait_sync("o", timeout=30_000)
        served.append(number)

    threads = []
    for number in range(6):
        threads.append(threading.Thread(target=one, args=(number,)))
        threads[-1].start()
        until(lambda: in_line(gate) > number, "it was refused and waits")  # noqa: B023
    for number in range(6):
        gate.reset_sync("o")  # for one, who has said so before the next may come
        until(lambda: len(served) > number, "one is served")  # noqa: B023
    assert served == list(range(6))
    for thread in threads:
        thread.join(30)
    assert len(gate._places) == 0
    gate.close()


def test_loops_and_threads_go_in_one_order_and_who_leaves_is_not_waited_for(
    redis_server: Server,
) -> None:
    gate = Gate(redis_server.url, Limit("1/hour", by="org"), name="mixed", timeout=10)
    assert gate.check_sync("o")
    served: list[int] = []
    threads: list[threading.Thread] = []

    async def one(number: int) -> None:
        assert await gate.wait("o", timeout=30_000)
        served.append(number)

    def one_sync(number: int) -> None:
        assert gate.wait_sync("o", timeout=30_000)
        served.append(number)

    with loop_in_thread() as a, loop_in_thread() as b:
        tasks: dict[int, Future[None]] = {}
        for number, where in enumerate([a, None, b, None, a, b, b, None, a]):
            if where is None:
                threads.append(threading.Thread(target=one_sync, args=(number,)))
                threads[-1].start()
            else:
                tasks[number] = asyncio.run_coroutine_threadsafe(one(number), where)
            until(lambda: in_line(gate) > number, "it was refused and waits")  # noqa: B023
        for number in (0, 5):  # the first, and one in the middle
            tasks[number].cancel()
        until(lambda: in_line(gate) == 7, "they have left")
        for number in range(7):
            gate.reset_sync("o")
            until(lambda: len(served) > number, "one is served")  # noqa: B023
        assert served == [1, 2, 3, 4, 6, 7, 8]
        for thread in threads:
            thread.join(30)
        until(lambda: not len(gate._places) and not gate._places.lines.lines, "nobody is left over")
    gate.close()


@in_loop
async def test_changed_limits_are_those_that_one_waits_for(gate: Gate) -> None:
    assert await gate.check(keys("c", "changed"))
    assert await gate.check(keys("d", "changed"))
    task = asyncio.create_task(gate.wait(keys("e", "changed")))
    await asyncio.sleep(0.05)
    gate.set_limits([Limit("1/hour", by="user"), Limit("5/second", by="org", name="org")])
    decision: GateDecision = await task
    assert decision.limits["org"].limit == 5


@in_loop
async def test_permits_are_waited_for(redis_server: Server) -> None:
    gate = Gate(redis_server.url, [Limit("1 concurrent", by="m")], name="permits", timeout=10)
    served: list[int] = []

    async def one(number: int) -> None:
        async with gate.reserve("k", timeout=30):
            served.append(number)
            await asyncio.sleep(0.01)

    await asyncio.gather(*(one(number) for number in range(6)))
    assert served == list(range(6))
    async with gate.reserve("k"):
        with pytest.raises(RateLimitError):
            async with gate.reserve("k", timeout=0.05):
                pass
    with pytest.raises(RuntimeError, match="async with"):
        gate.reserve("k", timeout=1).__enter__()
    await gate.aclose()


def test_a_child_that_is_forked_while_others_wait_goes_ahead(gate: Gate) -> None:
    assert gate.check_sync(keys("f", "fork"))
    assert gate.check_sync(keys("g", "fork"))
    thread = threading.Thread(target=gate.wait_sync, args=(keys("f", "fork"), 1, None), daemon=True)
    thread.start()
    until(lambda: len(gate._places) == 1, "it waits")
    child = os.fork()
    if not child:
        admitted = gate.wait_sync(keys("h", "fork"), timeout=20)
        os._exit(0 if admitted else 3)
    assert os.waitpid(child, 0)[1] == 0
    gate.reset_sync(keys("f", None))
    gate.set_limits([Limit("1/second", by="user"), Limit("2/second", by="org", name="org")])
    thread.join(20)
    assert not thread.is_alive()
