"""Corners of a gate in memory that were wrong once."""

from __future__ import annotations

import asyncio
import gc
import signal
import subprocess
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from in_loop import in_loop
from sluicegate import Gate, Limit, ManualClock, RateLimitError

OUTLIVED = """
import gc
from sluicegate import Gate, Limit
plans = {}
gate = Gate("5/second")
reservation = gate.reserve("ada", timeout=1)
gate.set_limits(Limit("5/second", quota_for=lambda key, gate=gate: plans.get(key)))
del gate
gc.collect()
with reservation:
    pass
"""


def test_a_call_that_outlives_its_gate_keeps_its_functions() -> None:
    done = subprocess.run([sys.executable, "-c", OUTLIVED], timeout=60)
    assert done.returncode == 0


@in_loop
async def test_a_look_by_another_plan_than_the_waiters_answers_at_once(clock: ManualClock) -> None:
    plans = {"a": "1/minute"}
    gate = Gate(Limit("100/minute", by="user", quota_for=plans.get), clock=clock)
    assert gate.check("a")
    waiting = asyncio.create_task(gate.wait("a"))
    await asyncio.sleep(0)
    plans["a"] = "50/minute"
    assert not gate.peek("a"), "he who waits goes first"
    gate.check("a")
    assert await waiting, "by the quota of the last call"
    assert gate.peek("a")


@pytest.mark.parametrize("overflow", ["share", "admit"])
def test_permits_of_keys_without_room_come_back(overflow: Any) -> None:
    gate = Gate("3 concurrent", max_keys=1, overflow=overflow)
    with gate.reserve("a"):
        for number in range(9):
            with gate.reserve(f"b{number}"), gate.reserve("c"):
                pass
        with gate.reserve("d"), gate.reserve("e"), gate.reserve("f"):
            if overflow == "share":
                with pytest.raises(RateLimitError), gate.reserve("g"):
                    pass
    with gate.reserve("z"), gate.reserve("y"), gate.reserve("y"), gate.reserve("y"):
        pass


def test_who_waits_for_a_shared_permit_is_woken() -> None:
    gate = Gate("1 concurrent", max_keys=1)
    with gate.reserve("a"):
        with gate.reserve("b"):
            thread = threading.Thread(target=gate.reserve("c", timeout=None).__enter__)
            thread.start()
            thread.join(0.05)
            assert thread.is_alive()
        thread.join(30)
        assert not thread.is_alive()


class SignalError(Exception):
    """What a signal's handler raises."""


@pytest.mark.filterwarnings("ignore")  # a coroutine that was just made is dropped
def test_a_signal_that_raises_anywhere_leaves_no_permit_held() -> None:
    gate = Gate([Limit("1000 concurrent", by="a"), Limit("100000000/day", by="a")])

    def interrupt(_: int, frame: FrameType | None) -> None:
        # What a destructor raises is lost, as always in Python.
        if frame is None or frame.f_code.co_name != "__del__":
            raise SignalError

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        for number in range(3_000):
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.00002 + number % 50 * 0.000004)
                for _ in range(200):
                    with gate.reserve("k"):
                        pass
            except SignalError:
                pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    gc.collect()
    assert gate.peek("k").limits["a/concurrent"].remaining == 1_000


def test_a_reservation_is_decided_by_the_limits_that_are_in_force(clock: ManualClock) -> None:
    gate = Gate(Limit("5/minute", by="user"), clock=clock)
    reservation = gate.reserve({"user": "a"})
    gate.set_limits([Limit("5/hour", by="user"), Limit("1 concurrent", by="user")])
    with reservation:
        left = {name: each.remaining for name, each in gate.peek("a").limits.items()}
        assert left == {"user/hour": 4, "user/concurrent": 0}


def test_limits_that_two_threads_change_are_those_of_one() -> None:
    gate = Gate("5/second")
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(100):
            threads = [
                threading.Thread(target=gate.set_limits, args=(limits,))
                for limits in ("7/hour", "9/day")
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert {part.name for part in gate.parts} == set(gate.peek("a").limits)
    finally:
        sys.setswitchinterval(before)


def test_a_reservation_knows_its_decision_afterwards_and_its_cost_beforehand(
    clock: ManualClock,
) -> None:
    gate = Gate("100 tokens/minute", clock=clock)
    cost = {"tokens": 5}
    reservation = gate.reserve("a", cost, timeout=5)
    cost["tokens"] = 50
    gate.set_limits("200 tokens/minute")
    with reservation:
        pass
    assert reservation.decision.remaining == 195
    decision = gate.check("a", {"tokens": 5})
    gate.set_limits("200 tokens/hour")
    with pytest.raises(ValueError, match="no longer in force"):
        gate.refund("a", decision)


def test_odd_mappings_are_refused_like_others() -> None:
    class Odd(dict[str, int]):
        def items(self) -> Any:
            return [(1,)]

    gate = Gate("100 tokens/minute")
    with pytest.raises(TypeError, match="cost"):
        gate.check("a", Odd(tokens=1))
    reservation = gate.reserve("a", {"tokens": 1})
    with reservation, pytest.raises(ValueError, match="reserved"):
        reservation.settle(**{"\ud800": 1})


@pytest.mark.parametrize("keys", [{"user": "rich"}, {"user": None}, {}])
def test_what_was_reserved_is_settled_whether_or_not_a_limit_took_part(
    keys: dict[str, str | None], clock: ManualClock
) -> None:
    tokens = Limit("9 tokens/minute", by="user", optional=True, quota_for={"rich": "unlimited"}.get)
    gate = Gate([tokens, Limit("9/minute", by="model")], clock=clock)
    asked = {**keys, "model": "m"}
    with gate.reserve(asked, {"tokens": 5}) as reservation:
        with pytest.raises(ValueError, match=r"tokens=…, requests=…, got 'token'"):
            reservation.settle(token=3)
        with pytest.raises(ValueError, match="tokens must be an int"):
            reservation.settle(tokens=-1)
        reservation.settle(tokens=3, requests=2)
    assert gate.peek(asked, {"tokens": 1}).limits["model/minute"].remaining == 7
    with gate.reserve(asked, {"tokens": 0}) as nothing, pytest.raises(ValueError, match="tokens"):
        nothing.settle(tokens=3)
