"""A gate that comes after another: both count on together, each by its own quotas."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluicegate import Gate, Limit, ManualClock, Quota, RateLimitError

LIMITS = [Limit("5/minute", by="user"), Limit("100 tokens/minute", by="model")]
KEYS = {"user": "u", "model": "m"}


def choice(gate: Gate, *names: str) -> Any:
    return gate._quotas([part.quota if part.name in names else None for part in gate.parts])


def left(gate: Gate) -> dict[str, int]:
    told = gate.peek(KEYS, {"tokens": 1}).limits
    return {name: each.remaining for name, each in told.items()}


def test_what_was_spent_counts_in_both_by_the_quota_of_each(clock: ManualClock) -> None:
    gate = Gate(LIMITS, name="old", max_keys=9, clock=clock)
    told = gate.check(KEYS, {"tokens": 30})
    after = gate._successor([Limit("9/minute", by="user"), Limit("50 tokens/minute", by="model")])
    assert (type(after), after.name) == (Gate, "old")
    assert left(gate) == {"user/minute": 4, "model/tokens/minute": 70}
    assert left(after) == {"user/minute": 8, "model/tokens/minute": 20}
    assert after.check(KEYS, {"tokens": 20})
    assert not after.check(KEYS, {"tokens": 1})
    assert gate.check(KEYS, {"tokens": 50})
    assert left(gate) == {"user/minute": 2, "model/tokens/minute": 0}
    gate.refund(KEYS, told)
    assert left(after) == {"user/minute": 7, "model/tokens/minute": 0}
    assert left(gate) == {"user/minute": 3, "model/tokens/minute": 30}
    assert gate.statistics() == after.statistics()
    assert after.statistics()[:2] == (3, 1)


def test_what_is_chosen_before_stays_right(clock: ManualClock) -> None:
    gate = Gate(LIMITS, clock=clock)
    by = choice(gate, "user/minute", "model/tokens/minute")
    told = gate._check_by(by, KEYS, (1, 30))
    held = gate._reserve_by(by, KEYS, (1, 10))._call
    decision = held.acquire_sync(0)
    after = gate._successor([Limit("3/hour", by="org"), *reversed(LIMITS)])
    with pytest.raises(ValueError, match="quotas must be made for the limits"):
        after._check_by(by, KEYS, (1, 1))
    gate._settle_by(by, KEYS, (1, 30), told, (0, 50))
    held.end_sync(decision, (None, 0))
    by = choice(after, "user/minute", "model/tokens/minute")
    told = after._peek_by(by, KEYS, (1, 1))
    assert {name: each.remaining for name, each in told.limits.items()} == {
        "model/tokens/minute": 50,
        "user/minute": 4,
    }


def test_the_log_tells_which_begin_afresh(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate([Limit("5/minute", by="user", name="user"), LIMITS[1]], clock=clock)
    gate.check(KEYS, {"tokens": 30})
    others = [Limit("5/hour", by="user", name="user"), Limit("9/s", by="org", optional=True)]
    after = gate._successor(others)
    assert [record.getMessage() for record in caplog.records] == [
        "The limit 'user' of the gate 'gate' begins afresh: its window, unit or algorithm is "
        "another one now."
    ]
    assert after.check({"user": "u"}).remaining == 4
    assert gate.check(KEYS, {"tokens": 1}).limits["user"].remaining == 3
    with pytest.raises(ValueError, match="at least one"):
        gate._successor([])


def test_one_that_comes_to_nothing_leaves_no_trace(clock: ManualClock) -> None:
    gate = Gate(LIMITS, clock=clock)
    gate.check(KEYS, {"tokens": 30})
    gate._successor([Limit("1/minute", by="user"), Limit("1 tokens/minute", by="model")])
    gc.collect()
    assert left(gate) == {"user/minute": 4, "model/tokens/minute": 70}
    after = gate._successor([Limit("7/minute", by="user"), *LIMITS[1:]])
    after.set_limits([Limit("8/minute", by="user"), *LIMITS[1:]])
    assert left(after) == {"user/minute": 7, "model/tokens/minute": 70}


def test_permits_are_of_both_and_who_waits_is_served(clock: ManualClock) -> None:
    gate = Gate([Limit("1 concurrent", by="model")], clock=clock)
    order: list[str] = []

    def wait(at: Gate, name: str) -> None:
        with at.reserve("m", timeout=None):
            order.append(name)

    with gate.reserve("m"):
        after = gate._successor([Limit("2 concurrent", by="model")])
        with pytest.raises(RateLimitError), gate.reserve("m"):
            pass
        with after.reserve("m"):
            assert after.peek("m").remaining == 0
        threads = [threading.Thread(target=wait, args=(gate, "old"))]
        threads[0].start()
        assert not order
    threads[0].join(30)
    wait(after, "new")
    assert order == ["old", "new"]


ALGORITHMS = ["sliding_window", "segmented_window", "sliding_counter", "fixed_window"]
amounts = st.integers(1, 9)
calls = st.tuples(
    st.sampled_from(["check", "check", "check", "succeed", "settle"]),
    st.tuples(amounts, amounts, amounts),
    st.integers(1, 3),
    st.integers(0, 900_000),
    st.integers(0, 9),
)


@pytest.mark.usefixtures("quiet_log")
@settings(deadline=None)
@given(
    st.tuples(*[st.sampled_from([*ALGORITHMS, "token_bucket"])] * 3), st.lists(calls, max_size=40)
)
def test_any_of_them_decides_as_one_gate_that_is_told_the_quotas(
    algorithms: tuple[str, ...], trace: list[Any]
) -> None:
    clock = ManualClock(1_800_000_000.0)

    def limits(amounts: tuple[int, ...]) -> list[Limit]:
        each = zip(amounts, algorithms, strict=True)
        return [
            Limit(Quota(amount, 2 + at), name=f"l{at}", algorithm=algorithm)
            for at, (amount, algorithm) in enumerate(each)
        ]

    first = (5, 5, 5)
    gates = [(Gate(limits(first), clock=clock), first)]
    model = Gate(limits(first), clock=clock)
    spent: list[Any] = []
    for verb, own, cost, ticks, which in trace:
        clock.advance(ticks * 1e-6)
        gate, quotas = gates[which % len(gates)]
        if verb == "succeed":
            gates.append((gate._successor(limits(own)), own))
        elif verb == "settle" and spent:
            here, there, arguments = spent.pop(which % len(spent))
            here[0]._settle_by(here[1], "k", *arguments[:1], arguments[1], (which,) * 3)
            model._settle_by(there, "k", *arguments[:1], arguments[2], (which,) * 3)
        elif verb == "check" and cost <= min(quotas):
            mine = gate._quotas([part.quota for part in gate.parts])
            told = model._quotas([part.quota for part in gate.parts])
            decisions = gate._check_by(mine, "k", cost), model._check_by(told, "k", cost)
            assert decisions[0] == decisions[1]
            if decisions[0]:
                spent.append(((gate, mine), told, (cost, *decisions)))
