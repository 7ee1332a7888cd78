"""Waiting at a gate: only where one is refused now, in order, and without a trace for those who leave."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from typing import Any

import pytest

from in_loop import in_loop
from polling import until
from sluicegate import Gate, GateDecision, Limit, ManualClock
from sluicegate.testing import limits_off


def of_users(clock: ManualClock | None = None) -> Gate:
    return Gate(
        [Limit("1/hour", by="user"), Limit("3/minute", by="org")],
        clock=clock,
    )


def keys(user: str | None, org: str | None = "o") -> dict[str, str | None]:
    return {"user": user, "org": org}


async def settle_down() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@in_loop
async def test_who_waits_for_his_own_quota_holds_up_nobody_else(clock: ManualClock) -> None:
    gate = of_users(clock)
    assert gate.check(keys("slow"))
    waiting = asyncio.create_task(gate.wait(keys("slow")))
    await settle_down()
    assert gate.check(keys("a")), "the organisation has room, and he waits for himself"
    assert await gate.wait(keys("b"))
    refused = gate.check(keys("c"))
    assert refused.refused_by == ("org/minute",)
    clock.advance(60)
    await settle_down()
    assert not waiting.done()
    assert gate.check(keys("c"))
    clock.advance(3_540)
    decision = await waiting
    assert decision
    assert decision.limits["user/hour"].remaining == 0


@in_loop
async def test_waiters_of_a_limit_are_served_in_order_and_not_overtaken(
    clock: ManualClock,
) -> None:
    gate = of_users(clock)
    for user in "xyz":
        assert gate.check(keys(user))
    served: list[str] = []

    async def wait(user: str) -> None:
        assert await gate.wait(keys(user))
        served.append(user)

    tasks = []
    for user in "abcd":
        tasks.append(asyncio.create_task(wait(user)))
        await settle_down()
    assert not gate.check(keys("e"))
    clock.advance(60)
    refused = gate.check(keys("e"))
    assert refused.refused_by == ("org/minute",), "three wait for these three"
    await settle_down()
    assert served == ["a", "b", "c"]
    clock.advance(60)
    await asyncio.gather(*tasks)
    assert served == ["a", "b", "c", "d"]
    assert gate.check(keys("e"))


@in_loop
async def test_a_wait_that_is_too_long_is_refused_at_once(clock: ManualClock) -> None:
    gate = of_users(clock)
    for user in "xyz":
        gate.check(keys(user))
    refused = await gate.wait(keys("x"), timeout=3_599)
    assert refused.refused_by == ("user/hour", "org/minute")
    assert (refused.name, refused.retry_after) == ("user/hour", 3_600.0)
    assert not await gate.wait(keys("new"), timeout=59)
    patient = asyncio.create_task(gate.wait(keys("new"), timeout=60))
    await settle_down()
    assert not patient.done()
    clock.advance(60)
    assert await patient
    counts = gate.statistics()
    assert (counts.admitted, counts.refused) == (4, 2)


@in_loop
async def test_a_cancelled_waiter_spends_nothing_and_leaves_no_trace(clock: ManualClock) -> None:
    gate = of_users(clock)
    for user in "xyz":
        gate.check(keys(user))
    first = asyncio.create_task(gate.wait(keys("a")))
    await settle_down()
    second = asyncio.create_task(gate.wait(keys("b")))
    await settle_down()
    first.cancel()
    clock.advance(60)
    assert await second
    assert gate.peek(keys(None)).limits["org/minute"].remaining == 2
    assert gate.check(keys("a"))


@in_loop
async def test_changed_limits_are_those_that_one_waits_for(clock: ManualClock) -> None:
    gate = Gate(Limit("1/hour", by="user"), clock=clock)
    gate.check("u")
    first = asyncio.create_task(gate.wait("u"))
    await settle_down()
    second = asyncio.create_task(gate.wait("u"))
    await settle_down()
    gate.set_limits(Limit("2/hour", by="user"))
    assert await first, "the first one is the first one still"
    await settle_down()
    assert not second.done()
    gate.set_limits(Limit("1/minute", by="user"))
    assert await second
    third = asyncio.create_task(gate.wait({"user": "u"}))
    await settle_down()
    gate.set_limits([Limit("1/minute", by="user"), Limit("1/minute", by="org")])
    with pytest.raises(ValueError, match="'org'"):
        await third
    fourth = asyncio.create_task(gate.wait({"user": "u", "org": "o"}))
    await settle_down()
    gate.set_limits([Limit("1 concurrent", by="user", optional=True), Limit("1/s", by="org")])
    with pytest.raises(TypeError, match="reserve"):
        await fourth


@in_loop
async def test_limits_off_wakes_all(clock: ManualClock) -> None:
    gate = Gate("1/hour", clock=clock)
    gate.check("u")
    tasks = [asyncio.create_task(gate.wait("u")) for _ in range(3)]
    await settle_down()
    with limits_off():
        for decision in await asyncio.gather(*tasks):
            assert decision
    assert gate.statistics().admitted == 1


@in_loop
async def test_ten_thousand_waiters_have_one_timer() -> None:
    gate = of_users()
    for user in "xyz":
        gate.check(keys(user))
    timeouts = [None, 9_000_000, 8_000_000]
    tasks = [
        asyncio.create_task(gate.wait(keys(f"u{number}"), timeout=timeouts[number % 3]))
        for number in range(10_000)
    ]
    await settle_down()
    loop = asyncio.get_running_loop()
    timers = len(getattr(loop, "_scheduled", ()))
    assert timers <= 2
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    gate.reset({"org": "o"})
    assert await gate.wait(keys("new"), timeout=0)


def test_threads_and_coroutines_wait_in_one_order() -> None:
    gate = Gate([Limit("40/second", by="user"), Limit("60/second", by="org")])
    admitted: list[GateDecision] = []

    def in_thread(number: int) -> None:
        for _ in range(10):
            admitted.append(gate.wait_sync({"user": f"u{number % 2}", "org": "o"}))

    async def in_loop() -> None:
        async def one() -> None:
            for _ in range(5):
                admitted.append(await gate.wait({"user": "u0", "org": "o"}))

        await asyncio.gather(*(one() for _ in range(8)))

    threads = [threading.Thread(target=in_thread, args=(number,)) for number in range(8)]
    threads.append(threading.Thread(target=lambda: asyncio.run(in_loop())))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "left behind asleep"
    assert len(admitted) == 120
    assert all(admitted)
    assert gate.statistics().limits["org/second"].admitted == 120


def test_wait_sync_in_a_thread_is_woken_by_the_clock(clock: ManualClock) -> None:
    gate = of_users(clock)
    gate.check(keys("u"))
    told: list[Any] = []
    thread = threading.Thread(target=lambda: told.append(gate.wait_sync(keys("u"))))
    thread.start()
    until(lambda: gate.peek(keys("u", None)).retry_after > 3_600, "it waits")
    assert gate.check(keys("other"))
    clock.advance(3_600)
    thread.join(30)
    assert told
    assert told[0].allowed


def test_a_child_that_is_forked_meanwhile_is_not_held_up(clock: ManualClock) -> None:
    gate = of_users(clock)
    for user in "xyz":
        gate.check(keys(user))
    thread = threading.Thread(target=lambda: gate.wait_sync(keys("a")), daemon=True)
    thread.start()
    until(lambda: gate.peek(keys(None), 3).retry_after > 60, "it waits")
    child = os.fork()
    if not child:
        clock.advance(60)
        served = [gate.check(keys(user)).allowed for user in ("c", "d", "e", "f")]
        os._exit(0 if served == [True, True, True, False] else 3)
    assert os.waitpid(child, 0)[1] == 0
    clock.advance(60)
    thread.join(30)
    assert not thread.is_alive()


def test_a_loop_that_is_closed_in_the_middle_leaves_nobody_waiting(clock: ManualClock) -> None:
    gate = of_users(clock)
    for user in "xyz":
        gate.check(keys(user))

    async def abandon() -> None:
        task = asyncio.get_running_loop().create_task(gate.wait(keys("a")))
        await settle_down()
        assert not task.done()

    loop = asyncio.new_event_loop()
    loop.run_until_complete(abandon())
    loop.close()
    gc.collect()
    clock.advance(60)
    assert [gate.check(keys(user)).allowed for user in "bcde"] == [True, True, True, False]
