"""Corners of a gate in Redis that were wrong once."""

from __future__ import annotations

import asyncio
import copy
import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from in_loop import in_loop
from redis_servers import Server
from sluicegate import Limit
from sluicegate.redis import Gate

Make = Callable[..., Gate]


@pytest.fixture
def make(redis_server: Server) -> Iterator[Make]:
    made: list[Gate] = []

    def gate(limits: Any, name: str, **options: Any) -> Gate:
        options = {"timeout": 10, "on_error": "raise"} | options
        made.append(Gate(redis_server.url, limits, name=name, **options))
        return made[-1]

    yield gate
    for each in made:
        each.close()


def test_many_threads_wait_for_ever_if_need_be(make: Make) -> None:
    gate = make("2/second", "threads")
    told: list[Any] = []
    threads = [
        threading.Thread(target=lambda: told.append(gate.wait_sync("a", timeout=None)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(told) == 6
    assert all(told)


class SignalError(Exception):
    """What a signal's handler raises."""


@pytest.mark.filterwarnings("ignore")  # a coroutine that was just made is dropped
def test_a_signal_that_raises_leaves_no_permit_held_for_longer_than_its_lease(make: Make) -> None:
    gate = make(Limit("500 concurrent", lease_seconds=1), "signals")

    def interrupt(_: int, frame: FrameType | None) -> None:
        # What a destructor raises is lost, as always in Python.
        if frame is None or frame.f_code.co_name != "__del__":
            raise SignalError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(400):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0002 + number % 50 * 0.00004)
                for _ in range(30):
                    with gate.reserve("k"):
                        pass
            except SignalError:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    gc.collect()
    end = time.monotonic() + 20
    while gate.peek_sync("k").remaining < 500:
        assert time.monotonic() < end, "permits are renewed that nobody holds"
        time.sleep(0.1)


@pytest.mark.parametrize("names", [("a b", "a_b"), ("key/5 minutes", "key/5_minutes")])
def test_names_that_would_share_a_key_are_refused(make: Make, names: tuple[str, str]) -> None:
    limits = [Limit(f"{number}/5 minutes", name=name) for number, name in enumerate(names, 5)]
    with pytest.raises(ValueError, match="underscore"):
        make(limits, "names")
    gate = make("5/second", "names")
    with pytest.raises(ValueError, match="underscore"):
        gate.set_limits(limits)
    assert gate.check_sync("k")


def test_gates_whose_names_run_together_count_apart(make: Make) -> None:
    one, other = make(Limit("1/hour", name="c"), "a:b"), make(Limit("1/hour", name="b:c"), "a")
    assert one.check_sync("k")
    assert other.check_sync("k")


def test_a_shadow_of_permits_may_be_asked_for_any_number(make: Make) -> None:
    gate = make(Limit("5 concurrent", shadow=True), "shadow")
    with gate.reserve("a", {"concurrent": 2**32 - 1}) as reservation:
        assert not reservation.decision.limits["key/concurrent"].allowed
    assert gate.peek_sync("a").limits["key/concurrent"].remaining == 5


@in_loop
async def test_changes_and_refunds_reach_those_who_wait(make: Make) -> None:
    gate = make(Limit("1/hour", by="user"), "changes")
    first = await gate.check("a")
    waiting = asyncio.create_task(gate.wait("a"))
    await asyncio.sleep(0.1)
    gate.set_limits(Limit("2/hour", by="user"))
    assert await asyncio.wait_for(waiting, 20)
    waiting = asyncio.create_task(gate.wait("a"))
    await asyncio.sleep(0.1)
    await gate.refund("a", first)
    assert await asyncio.wait_for(waiting, 20)
    waiting = asyncio.create_task(gate.wait("a"))
    await asyncio.sleep(0.1)
    await gate.reset("a")
    assert await asyncio.wait_for(waiting, 20)
    assert await gate.check("a")
    waiting = asyncio.create_task(gate.wait({"user": "a"}))
    await asyncio.sleep(0.1)
    gate.set_limits([Limit("2/hour", by="user"), Limit("9/hour", by="org")])
    with pytest.raises(ValueError, match="'org'"):
        await asyncio.wait_for(waiting, 20)


def test_a_change_reaches_threads_that_wait(make: Make) -> None:
    gate = make("1/hour", "threads-too")
    assert gate.check_sync("a")
    told: list[Any] = []
    thread = threading.Thread(target=lambda: told.append(gate.wait_sync("a")))
    thread.start()
    thread.join(0.2)
    gate.set_limits("2/hour")
    thread.join(20)
    assert told
    assert told[0].allowed


def test_statistics_are_of_one_set_of_limits(make: Make) -> None:
    gate = make("5/second", "statistics")
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            gate.set_limits("5/second; 9/minute")
            gate.set_limits("5/second")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2_000):
            assert len(gate.statistics().limits) in (1, 2)
    finally:
        stop.set()
        thread.join()


def test_a_copy_is_of_the_limits_that_are_in_force(make: Make) -> None:
    gate = make((limit for limit in ["900/minute"]), "copies")
    assert gate.check_sync("a", 800)
    gate.set_limits("2000/minute")
    other = copy.copy(gate)
    assert [part.algorithm for part in other.parts] == ["sliding_log"]
    assert other.peek_sync("a").remaining == 1_200
    other.close()


def test_a_reservation_is_what_was_asked_for(make: Make) -> None:
    asked: list[str] = []

    def plan(key: str) -> None:
        asked.append(key)

    gate = make(Limit("100 tokens/hour", by="user", quota_for=plan), "once")
    keys, cost = {"user": "a"}, {"tokens": 10}
    reservation = gate.reserve(keys, cost)
    keys.clear()
    cost["tokens"] = 99
    with reservation:
        pass
    assert reservation.decision.remaining == 90
    assert asked == ["a"]
    for wrong in (5, None):
        with pytest.raises(TypeError, match="keys must be"):
            gate.wait_sync(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("burst", ["", " burst 50"])
def test_plans_of_a_bucket_count_in_its_unit(make: Make, burst: str) -> None:
    bucket = Limit(
        f"10 tokens/hour{burst}", algorithm="token_bucket", quota_for=lambda _: "90 tokens/hour"
    )
    gate = make(bucket, "buckets")
    assert gate.check_sync("ada", {"tokens": 60}).limit == 90
    gate.set_limits(Limit("20 tokens/hour", algorithm="token_bucket", quota_for={}.get))
    assert gate.peek_sync("bob", {"tokens": 1}).limit == 20


@pytest.mark.parametrize(
    "algorithm", ["fixed_window", "sliding_window", "segmented_window", "token_bucket"]
)
def test_a_debt_by_a_plan_is_known_when_the_server_is_gone(
    make: Make, redis_server: Server, algorithm: str
) -> None:
    limit = Limit("9 tokens/day", algorithm=algorithm, quota_for=lambda _: "1000 tokens/day")
    gate = make(limit, "debts", on_error="local", timeout=2)
    with gate.reserve("ada", {"tokens": 100}) as reservation:
        reservation.settle(tokens=900)
    redis_server.kill()
    told = gate.peek_sync("ada", {"tokens": 1})
    assert (told.store, told.remaining) == ("local", 100)
