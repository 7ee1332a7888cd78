"""Reservations: spent beforehand, put right at the end, and permits that are held in between."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from in_loop import in_loop
from sluicegate import Gate, Limit, ManualClock, RateLimitError
from sluicegate.testing import limits_off

KEYS = {"user": "u", "model": "m"}


def gate_of(clock: ManualClock, tokens: str = "1000 tokens/minute", **options: Any) -> Gate:
    return Gate(
        [Limit("10/minute", by="user"), Limit(tokens, by="model", **options)],
        clock=clock,
    )


def tokens(gate: Gate) -> int:
    return gate.peek(KEYS, {"tokens": 1}).limits["model/tokens/minute"].remaining


def users(gate: Gate) -> int:
    return gate.peek(KEYS, {"tokens": 1}).limits["user/minute"].remaining


def test_less_than_reserved_comes_back(clock: ManualClock) -> None:
    gate = gate_of(clock)
    with gate.reserve(KEYS, {"tokens": 900}) as reservation:
        assert tokens(gate) == 100
        assert reservation.decision.limits["model/tokens/minute"].remaining == 100
        reservation.settle(tokens=312)
        assert tokens(gate) == 100, "it is sent when the block is left"
    assert (tokens(gate), users(gate)) == (688, 9)


@in_loop
async def test_more_than_reserved_is_a_debt_that_later_calls_wait_for(clock: ManualClock) -> None:
    gate = gate_of(clock)
    async with gate.reserve(KEYS, {"tokens": 900}) as reservation:
        reservation.settle(tokens=1_500)
    refused = gate.check(KEYS, {"tokens": 1})
    assert refused.refused_by == ("model/tokens/minute",)
    assert refused.retry_after == 60
    clock.advance(60)
    assert gate.check(KEYS, {"tokens": 1_000})
    gate.clear()
    async with gate.reserve(KEYS, {"tokens": 1_000}) as reservation:
        reservation.settle(tokens=4_000_000_000)
    assert gate.statistics().limits["model/tokens/minute"].admitted == 3, (
        "what was settled is no call"
    )
    clock.advance(60)
    assert gate.check(KEYS, {"tokens": 1_000}), "a debt of one whole quota at most"


def test_a_debt_of_a_bucket_is_paid_at_its_rate(clock: ManualClock) -> None:
    gate = gate_of(clock, "60 tokens/minute burst 100")
    with gate.reserve(KEYS, {"tokens": 100}) as reservation:
        reservation.settle(tokens=150)
    assert gate.check(KEYS, {"tokens": 1}).retry_after == 51
    clock.advance(51)
    assert gate.check(KEYS, {"tokens": 1})


def test_a_debt_by_a_plan_is_of_the_plan(clock: ManualClock) -> None:
    gate = gate_of(clock, quota_for=lambda _: "100 tokens/minute")
    with gate.reserve(KEYS, {"tokens": 100}) as reservation:
        reservation.settle(tokens=900)
    told = gate.peek(KEYS, {"tokens": 1}).limits["model/tokens/minute"]
    assert (told.limit, told.remaining) == (100, 0)
    with pytest.raises(ValueError, match="100 tokens/minute"):
        gate.reserve(KEYS, {"tokens": 101})


def test_neither_keeps_the_estimate_and_cancel_gives_all_back(clock: ManualClock) -> None:
    gate = gate_of(clock)
    with gate.reserve(KEYS, {"tokens": 900}):
        pass
    assert (tokens(gate), users(gate)) == (100, 9)
    with pytest.raises(ZeroDivisionError), gate.reserve(KEYS, {"tokens": 100}):
        _ = 1 / 0
    assert (tokens(gate), users(gate)) == (0, 8)
    gate.clear()
    with gate.reserve(KEYS, {"tokens": 900}) as reservation:
        reservation.cancel()
    assert (tokens(gate), users(gate)) == (1_000, 10)
    with gate.reserve(KEYS, {"tokens": 900}) as reservation:
        clock.advance(60)
        assert gate.check(KEYS, {"tokens": 1_000})
        reservation.cancel()
    assert tokens(gate) == 0, "what no longer counts does not come back"
    with contextlib.suppress(KeyError), gate.reserve({**KEYS, "model": "n"}, {"tokens": 9}) as last:
        last.settle(tokens=4)
        raise KeyError
    n = gate.peek({**KEYS, "model": "n"}, {"tokens": 1}).limits["model/tokens/minute"]
    assert n.remaining == 996, "settled although the block failed"


def test_a_refused_reservation_spends_nothing_and_says_why(clock: ManualClock) -> None:
    gate = gate_of(clock)
    gate.check(KEYS, {"tokens": 1_000})
    refused = gate.reserve(KEYS, {"tokens": 1})
    with pytest.raises(RateLimitError, match="model/tokens/minute") as told:
        refused.__enter__()
    assert told.value.retry_after == 60
    assert users(gate) == 9
    with pytest.raises(RateLimitError), gate.reserve(KEYS, {"tokens": 1}, timeout=59.9):
        pass


def test_a_reservation_is_used_once_and_inside(clock: ManualClock) -> None:
    gate = gate_of(clock)
    reservation = gate.reserve(KEYS, {"tokens": 900})
    for verb in (reservation.cancel, lambda: reservation.settle(tokens=1)):
        with pytest.raises(RuntimeError, match="block"):
            verb()
    with pytest.raises(RuntimeError, match="before its block"):
        _ = reservation.decision
    with reservation:
        for wrong, error in [
            ({"token": 1}, ValueError),
            ({"tokens": -1}, ValueError),
            ({"tokens": 1.5}, TypeError),
            ({"concurrent": 1}, ValueError),
            ({}, TypeError),
        ]:
            with pytest.raises(error):
                reservation.settle(**wrong)  # type: ignore[arg-type]
        reservation.settle(tokens=312)
        for verb in (reservation.cancel, lambda: reservation.settle(tokens=1)):
            with pytest.raises(RuntimeError, match="once"):
                verb()
    with pytest.raises(RuntimeError, match="entered before"):
        reservation.__enter__()
    assert tokens(gate) == 688
    for timeout, error in [(-1, ValueError), ("1", TypeError), (True, TypeError)]:
        with pytest.raises(error, match="timeout"):
            gate.reserve(KEYS, {"tokens": 1}, timeout=timeout)


def test_permits_are_held_until_the_block_ends(clock: ManualClock) -> None:
    gate = Gate(
        [Limit("2 concurrent", by="model"), Limit("9/minute", by="user")], name="calls", clock=clock
    )
    with gate.reserve(KEYS) as first, gate.reserve(KEYS):
        assert first.decision.limits["model/concurrent"].remaining == 1
        refused = gate.peek(KEYS)
        assert refused.refused_by == ("model/concurrent",)
        assert refused.retry_after == 1.0, "nobody knows"
        with pytest.raises(RateLimitError), gate.reserve(KEYS):
            pass
        clock.advance(1_000)
        assert not gate.peek(KEYS)
        first.settle(requests=0)
    assert gate.peek(KEYS).limits["model/concurrent"].remaining == 2
    with gate.reserve(KEYS) as third:
        third.cancel()
    assert gate.peek(KEYS).limits["model/concurrent"].remaining == 2
    assert gate.peek(KEYS).limits["user/minute"].remaining == 9


@in_loop
async def test_who_waits_for_a_permit_gets_the_next_one() -> None:
    gate = Gate([Limit("1 concurrent", by="model"), Limit("900/minute", by="user")])
    served: list[int] = []

    async def one(number: int) -> None:
        async with gate.reserve(KEYS, timeout=30):
            served.append(number)
            await asyncio.sleep(0)

    await asyncio.gather(*(one(number) for number in range(50)))
    assert served == list(range(50))
    assert gate.peek(KEYS).limits["model/concurrent"].remaining == 1


def test_permits_of_threads_are_never_too_many() -> None:
    gate = Gate([Limit("3 concurrent", by="model"), Limit("100000/day", by="user")])
    held, most, lock = 0, 0, threading.Lock()

    def one(_: int) -> None:
        nonlocal held, most
        with gate.reserve(KEYS, timeout=60):
            with lock:
                held += 1
                most = max(most, held)
            with lock:
                held -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(400)))
    assert most <= 3
    assert gate.peek(KEYS).limits["model/concurrent"].remaining == 3


def test_a_block_that_nobody_leaves_gives_its_permits_back() -> None:
    gate = Gate([Limit("1 concurrent", by="model"), Limit("9/minute", by="user")])

    def generator() -> Any:
        with gate.reserve(KEYS):
            yield 1

    def forgotten() -> None:
        gate.reserve(KEYS).__enter__()

    running = generator()
    next(running)
    assert not gate.peek(KEYS)
    del running
    gc.collect()
    forgotten()
    gc.collect()
    left = {name: each.remaining for name, each in gate.peek(KEYS).limits.items()}
    assert left == {"model/concurrent": 1, "user/minute": 7}, "the estimates stay spent"


def test_a_forked_child_leaves_the_block_without_harm() -> None:
    gate = Gate([Limit("1 concurrent", by="model"), Limit("9/minute", by="user")])
    with gate.reserve(KEYS) as reservation:
        child = os.fork()
        if not child:
            reservation.cancel()
            reservation.__exit__(None, None, None)
            with gate.reserve(KEYS):
                os._exit(0 if not gate.peek(KEYS) else 3)
        assert os.waitpid(child, 0)[1] == 0
        assert not gate.peek(KEYS)
        reservation.settle(requests=0)
    assert gate.peek(KEYS).limits["user/minute"].remaining == 9


@in_loop
async def test_a_cancelled_wait_reserves_nothing() -> None:
    gate = Gate([Limit("1 concurrent", by="model"), Limit("9/minute", by="user")])
    async with gate.reserve(KEYS):
        task = asyncio.create_task(gate.reserve(KEYS, timeout=None).__aenter__())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    left = {name: each.remaining for name, each in gate.peek(KEYS).limits.items()}
    assert left == {"model/concurrent": 1, "user/minute": 8}


def test_while_limits_are_off_nothing_is_reserved(clock: ManualClock) -> None:
    gate = gate_of(clock)
    with limits_off():
        with gate.reserve(KEYS, {"tokens": 900}) as reservation:
            reservation.settle(tokens=1_000)
        with gate.reserve(KEYS, {"tokens": 900}) as reservation:
            reservation.cancel()
    assert (tokens(gate), users(gate)) == (1_000, 10)


def test_limits_that_change_meanwhile_are_settled_where_they_were_spent(
    clock: ManualClock,
) -> None:
    gate = gate_of(clock)
    with gate.reserve(KEYS, {"tokens": 900}) as reservation:
        gate.set_limits([Limit("2000 tokens/minute", by="model")])
        reservation.settle(tokens=300)
    assert gate.peek("m").limits["model/tokens/minute"].remaining == 1_700
