"""Reservations of a gate in a zone, and waiting for it."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from in_loop import in_loop
from sluicegate import Limit, ManualClock, RateLimitError
from sluicegate.shared import Gate

KEYS = {"user": "u", "model": "m"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"shared://{tmp_path}/limits.zone?size=1m"


def gate_of(store: str, clock: ManualClock) -> Gate:
    limits = [Limit("10/minute", by="user"), Limit("1000 tokens/minute", by="model")]
    return Gate(store, limits, clock=clock)


def tokens(gate: Gate) -> int:
    return gate.peek(KEYS, {"tokens": 1}).limits["model/tokens/minute"].remaining


def users(gate: Gate) -> int:
    return gate.peek(KEYS, {"tokens": 1}).limits["user/minute"].remaining


def test_less_than_reserved_comes_back_and_more_is_a_debt(store: str, clock: ManualClock) -> None:
    gate = gate_of(store, clock)
    with gate.reserve(KEYS, {"tokens": 900}) as reservation:
        assert tokens(gate) == 100
        reservation.settle(tokens=312)
    assert (tokens(gate), users(gate)) == (688, 9)
    with gate.reserve(KEYS, {"tokens": 600}) as reservation:
        reservation.cancel()
    assert (tokens(gate), users(gate)) == (688, 9)
    with gate.reserve(KEYS, {"tokens": 600}) as reservation:
        reservation.settle(tokens=4_000_000_000)
    refused = gate.check(KEYS, {"tokens": 1})
    assert refused.refused_by == ("model/tokens/minute",)
    clock.advance(120)
    assert gate.check(KEYS, {"tokens": 1_000}), "the debt saturates"
    with (
        pytest.raises(RateLimitError, match="model/tokens/minute"),
        gate.reserve(KEYS, {"tokens": 1}),
    ):
        pass


@in_loop
async def test_permits_are_held_in_the_block_and_wake_who_waits(store: str) -> None:
    gate = Gate(store, [Limit("1 concurrent; 100/second", by="model")])
    for verb in (gate.check, gate.wait_sync):
        with pytest.raises(TypeError, match="would keep the permit"):
            verb({"model": "m"})
    order: list[int] = []

    async def hold(number: int) -> None:
        async with gate.reserve({"model": "m"}, timeout=10):
            assert not gate.peek({"model": "m"})
            order.append(number)
            await asyncio.sleep(0.01)

    await asyncio.gather(*(hold(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert gate.peek({"model": "m"})


def test_leases_are_renewed_while_they_are_held(store: str) -> None:
    limits = [Limit("1 concurrent", by="model", lease_seconds=0.1)]
    gate, other = Gate(store, limits), Gate(store, limits)
    done = threading.Event()
    with gate.reserve({"model": "m"}):
        assert not done.wait(0.5)
        assert not other.peek({"model": "m"})
    assert other.peek({"model": "m"})


@in_loop
async def test_waiting_is_in_order_and_no_longer_than_allowed(store: str) -> None:
    gate = Gate(store, [Limit("1/second burst 1", by="user"), Limit("1000/minute", by="org")])
    keys = {"user": "u", "org": "o"}
    assert gate.check(keys)
    refused = await gate.wait(keys, timeout=0.01)
    assert not refused
    assert 0 < refused.retry_after <= 1
    order: list[str] = []

    async def wait(name: str) -> None:
        assert await gate.wait(keys, timeout=10)
        order.append(name)

    first, second = asyncio.ensure_future(wait("a")), asyncio.ensure_future(wait("b"))
    await asyncio.sleep(0)
    gate.reset({"user": "u"})
    await first
    gate.reset({"user": "u"})
    await second
    assert order == ["a", "b"]
    with pytest.raises(RuntimeError, match="wait_sync would block"):
        gate.wait_sync(keys)


def test_threads_wait_as_well(store: str) -> None:
    gate = Gate(store, "50/second burst 1")
    with ThreadPoolExecutor(4) as pool:
        decisions = list(pool.map(lambda _: gate.wait_sync("k", timeout=20), range(8)))
    assert all(decisions)
    assert gate.statistics().admitted == 8
