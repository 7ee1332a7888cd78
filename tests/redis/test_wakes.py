"""What comes back in this process is for those who wait in it: they ask again at once."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from in_loop import in_loop
from polling import until
from redis_servers import Server
from sluicegate import Decision, Limit
from sluicegate._connection import seconds
from sluicegate.redis import FixedWindow, Gate, TokenBucket

HOURS = 7_200.0


def in_line(limiter: Any) -> int:
    return sum(len(line.numbers) for line in list(limiter._places.lines.lines.values()))


def asleep(limiter: Any, number: int = 1) -> None:
    """Until so many were refused and sleep."""
    lines = limiter._places.lines

    def all_sleep() -> bool:
        waiters = [lines.known(n) for line in list(lines.lines.values()) for n in line.numbers]
        return len(waiters) == number and all(one and one.is_asleep for one in waiters)

    until(all_sleep, f"{number} sleep", pause=0.001)


@pytest.fixture
def window(redis_server: Server) -> Iterator[FixedWindow]:
    limiter = FixedWindow(redis_server.url, 1, 3_600, timeout=10, on_error="raise", name="w")
    yield limiter
    limiter.close()


Change = Callable[[FixedWindow, Decision], Any]
CHANGES: dict[str, Change] = {
    "reset": lambda limiter, _: limiter.reset("k"),
    "refund": lambda limiter, _: limiter.refund("k"),
    "refund by receipt": lambda limiter, spent: limiter.refund("k", spent),
    "set_quota": lambda limiter, _: limiter.set_quota(2, 3_600),
}
SYNC_CHANGES: dict[str, Change] = {
    "reset_sync": lambda limiter, _: limiter.reset_sync("k"),
    "refund_sync": lambda limiter, _: limiter.refund_sync("k"),
    "refund_sync by receipt": lambda limiter, spent: limiter.refund_sync("k", spent),
}


@pytest.mark.parametrize("change", CHANGES)
@in_loop
async def test_a_coroutine_is_admitted_by(window: FixedWindow, change: str) -> None:
    spent = await window.check("k")
    assert spent
    waits = asyncio.ensure_future(window.wait("k", timeout=HOURS))
    await asyncio.to_thread(asleep, window)
    await CHANGES[change](window, spent)
    assert await asyncio.wait_for(waits, 20)


@pytest.mark.parametrize("change", SYNC_CHANGES)
def test_a_thread_is_admitted_by(window: FixedWindow, change: str) -> None:
    spent = window.check_sync("k")
    told: list[Decision] = []
    thread = threading.Thread(target=lambda: told.append(window.wait_sync("k", timeout=HOURS)))
    thread.start()
    asleep(window)
    SYNC_CHANGES[change](window, spent)
    thread.join(20)
    assert [one.allowed for one in told] == [True]


@in_loop
async def test_those_who_wait_for_another_key_sleep_on(window: FixedWindow) -> None:
    for key in "ab":
        assert await window.check(key)
    waits = {key: asyncio.ensure_future(window.wait(key, timeout=HOURS)) for key in "ab"}
    await asyncio.to_thread(asleep, window, 2)
    before = window.statistics()
    await window.reset("a")
    assert await asyncio.wait_for(waits["a"], 20)
    after = window.statistics()
    assert (after.admitted - before.admitted, after.refused - before.refused) == (1, 0)
    waits["b"].cancel()


@in_loop
async def test_a_refund_whose_caller_was_cancelled_wakes_them_too(
    window: FixedWindow, redis_server: Server
) -> None:
    spent = await window.check("k")
    waits = asyncio.ensure_future(window.wait("k", timeout=HOURS))
    await asyncio.to_thread(asleep, window)
    redis_server.stop()
    refunds = asyncio.ensure_future(window.refund("k", spent))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # by then it is sent
    refunds.cancel()
    with pytest.raises(asyncio.CancelledError):
        await refunds
    redis_server.cont()
    assert await asyncio.wait_for(waits, 20)


@in_loop
async def test_a_bucket_of_another_rate_is_waited_for_as_long_as_that_takes(
    redis_server: Server,
) -> None:
    bucket = TokenBucket(redis_server.url, 1, 0.0001, name="b", timeout=10)
    assert await bucket.check("k")
    waits = asyncio.ensure_future(bucket.wait("k", timeout=None))
    await asyncio.to_thread(asleep, bucket)
    await bucket.set_quota(1, 1_000)
    assert await asyncio.wait_for(waits, 20)
    bucket.close()


LIMITS = [Limit("10 tokens/hour", by="user"), Limit("1 concurrent", by="model")]
KEYS, OTHER = {"user": "u", "model": "m"}, {"user": "u", "model": "n"}


@pytest.fixture
def gate(redis_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    """Nobody asks for a permit again unless told to."""
    for pause in ("_SHORTEST", "_LONGEST"):
        monkeypatch.setattr(seconds, pause, 1_000)
    gate = Gate(redis_server.url, LIMITS, timeout=10, on_error="raise")
    yield gate
    gate.close()


async def waiting(gate: Gate, keys: dict[str, str | None], tokens: int) -> asyncio.Task[None]:
    async def wait() -> None:
        async with gate.reserve(keys, {"tokens": tokens}, timeout=HOURS):
            pass

    task = asyncio.create_task(wait())
    await asyncio.to_thread(asleep, gate)
    return task


@pytest.mark.parametrize("ending", ["settle", "cancel", "permit"])
@in_loop
async def test_a_reservation_that_ends_lets_others_go_on(gate: Gate, ending: str) -> None:
    async with gate.reserve(KEYS, {"tokens": 8}) as reservation:
        waits = await waiting(
            gate, KEYS if ending == "permit" else OTHER, 2 + 3 * (ending != "permit")
        )
        if ending == "settle":
            reservation.settle(tokens=1)
        if ending == "cancel":
            reservation.cancel()
    await asyncio.wait_for(waits, 20)


@in_loop
async def test_a_reservation_in_a_thread_does_too(gate: Gate) -> None:
    def hold() -> None:
        with gate.reserve(KEYS, {"tokens": 8}) as reservation:
            entered.set()
            assert ends.wait(20)
            reservation.settle(tokens=1)

    entered, ends = threading.Event(), threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    assert await asyncio.to_thread(entered.wait, 20)
    waits = await waiting(gate, OTHER, 5)
    ends.set()
    await asyncio.wait_for(waits, 20)
    thread.join(20)


@in_loop
async def test_one_that_is_dropped_gives_its_permit_to_who_waits(gate: Gate) -> None:
    reservation: Any = gate.reserve(KEYS, {"tokens": 1})
    await reservation.__aenter__()
    waits = await waiting(gate, KEYS, 1)
    del reservation
    gc.collect()
    await asyncio.wait_for(waits, 20)
