"""Limits of a gate that its caller chooses: which of them decide, at which costs, and what is put right."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest

from sluicegate import Gate, Limit, ManualClock, Quota, RateLimitError
from sluicegate._core import CostError
from sluicegate.testing import limits_off

LIMITS = [
    Limit("5/minute", by="user"),
    Limit("100 tokens/minute", by="model"),
    Limit("9/minute", by="org", optional=True),
    Limit("2 concurrent", by="model"),
]
KEYS = {"user": "u", "model": "m"}


@pytest.fixture
def gate(clock: ManualClock) -> Gate:
    return Gate(LIMITS, clock=clock)


def choice(gate: Gate, *places: int, **quotas: str) -> Any:
    """Those limits by their own quotas; ``by_1="7/minute"`` by another."""
    chosen = [part.quota if at in places else None for at, part in enumerate(gate.parts)]
    for at, quota in quotas.items():
        chosen[int(at.removeprefix("by_"))] = Quota(quota)
    return gate._quotas(chosen)


def left(gate: Gate) -> list[int]:
    told = gate._peek_by(choice(gate, 0, 1, 3), KEYS, (1, 1, 1))
    return [each.remaining for each in told.limits.values()]


def test_only_those_that_are_chosen_decide_and_spend(gate: Gate) -> None:
    by = choice(gate, 0, 1)
    told = gate._check_by(by, KEYS, (2, 90))
    assert list(told.limits) == ["user/minute", "model/tokens/minute"]
    assert (told.allowed, told.name, left(gate)) == (True, "model/tokens/minute", [3, 10, 2])
    refused = gate._check_by(by, KEYS, (1, 11))
    assert (refused.refused_by, left(gate)) == (("model/tokens/minute",), [3, 10, 2])
    assert gate._check_by(choice(gate, 0), "u", 3)
    assert gate._check_by(by, KEYS, (0, 10)).limits.keys() == {"model/tokens/minute"}
    assert gate._check_by(by, KEYS, (0, 0)).limits == {}
    assert gate._check_by(by, {"user": None, "model": None}, (9, 900)).limits == {}
    assert left(gate) == [0, 0, 2]
    assert gate.statistics()[:2] == (5, 1)


def test_a_cost_by_unit_is_of_the_chosen_units(gate: Gate) -> None:
    assert gate._check_by(choice(gate, 0), KEYS).remaining == 4
    assert gate._check_by(choice(gate, 1), KEYS, 30).remaining == 70
    assert gate._check_by(choice(gate, 0, 1), KEYS, {"tokens": 30}).limits.keys() == {
        "user/minute",
        "model/tokens/minute",
    }
    assert left(gate) == [3, 40, 2]
    with pytest.raises(ValueError, match="how many tokens"):
        gate._check_by(choice(gate, 0, 1), KEYS)


def test_other_quotas_decide_and_are_owed(gate: Gate) -> None:
    by = choice(gate, 1, by_0="50/minute")
    told = gate._check_by(by, KEYS, (40, 1))
    assert (told.limits["user/minute"].limit, told.limits["user/minute"].remaining) == (50, 10)
    gate._settle_by(by, KEYS, (40, 1), told, (4_000_000_000, None))
    gate._check_by(choice(gate, 2), {"org": "o"})
    told = gate._peek_by(by, KEYS, (1, 1))
    assert (told.refused_by, told.retry_after) == (("user/minute",), 60)
    assert told.limits["model/tokens/minute"].remaining == 99
    with pytest.raises(CostError, match="50 requests for the limit 'user/minute'"):
        gate._check_by(by, KEYS, (51, 1))


def test_keys_are_needed_of_what_is_chosen(gate: Gate) -> None:
    assert gate._check_by(choice(gate, 2), {}).limits == {}
    assert gate._check_by(choice(gate, 0), {"user": "u", "model": 7, "org": b""})  # type: ignore[dict-item]
    for places, keys, error, why in [
        ((0, 1), {"user": "u"}, ValueError, "'model', by which the limit 'model/tokens/minute'"),
        ((0,), {"user": "u", "modle": "m"}, ValueError, "got 'modle'"),
        ((0,), {"user": "u", 1: "m"}, ValueError, "got 1"),
        ((0, 1), "u", TypeError, "'user': '...', 'model': '...'"),
        ((0,), {"user": 1}, TypeError, "a str or None"),
    ]:
        with pytest.raises(error, match=why):
            gate._check_by(choice(gate, *places), keys, (1,) * len(places))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cost", "error", "why"),
    [
        ((1,), ValueError, r"one for each of the 2 limits .* 'user/minute', 'model/tokens/minute'"),
        ((1, 1, 1), ValueError, r"got \(1, 1, 1\)"),
        ((1, -1), ValueError, r"cost\[1\] must be an int from 0"),
        ((1, True), TypeError, r"cost\[1\] must be an int"),
        ((1.0, 1), TypeError, r"cost\[0\] must be an int"),
        ((6, 1), CostError, "at most 5 requests for the limit 'user/minute'"),
        ([1, 1], TypeError, "cost must be an int, or a mapping"),
    ],
)
def test_costs_that_are_none(gate: Gate, cost: Any, error: type[Exception], why: str) -> None:
    by = choice(gate, 0, 1)
    for verb in (gate._check_by, gate._peek_by, gate._reserve_by):
        with pytest.raises(error, match=why):
            verb(by, KEYS, cost)
    assert left(gate) == [5, 100, 2]
    with pytest.raises(TypeError, match="cost must be an int, or a mapping"):
        gate.peek(KEYS, (1, 1))  # type: ignore[arg-type]


def test_permits_among_those_that_are_chosen(gate: Gate) -> None:
    with pytest.raises(TypeError, match=r"permit of the limit 'model/concurrent'.*reserve"):
        gate._check_by(choice(gate, 0, 3), KEYS)
    assert gate._peek_by(choice(gate, 3), "m").remaining == 2
    by = choice(gate, 0, 1, 3)
    with gate._reserve_by(by, KEYS, (1, 50, 2)) as reservation:
        assert left(gate) == [4, 50, 0]
        with pytest.raises(RateLimitError), gate._reserve_by(by, KEYS, (1, 1, 1)):
            pass
        with pytest.raises(ValueError, match=r"used\[2\] must be None for the permits"):
            reservation._call.examine((None, 1, 1))
        reservation.settle(tokens=20)
    assert left(gate) == [4, 80, 2]
    held = gate._reserve_by(by, KEYS, (2, 10, 1))._call
    held.end_sync(held.acquire_sync(0), (0, 30, None))
    assert left(gate) == [4, 50, 2]
    held = gate._reserve_by(by, KEYS, (2, 10, 1))._call
    held.end_sync(held.acquire_sync(0), None)
    assert left(gate) == [4, 50, 2], "all comes back"


def test_who_waits_for_what_is_chosen_waits_for_nothing_else(gate: Gate) -> None:
    gate._check_by(choice(gate, 1), "m", 100)
    by, order, entered = choice(gate, 3), [], threading.Event()

    def wait() -> None:
        with gate._reserve_by(by, "m", timeout=30):
            order.append("waiter")

    with gate._reserve_by(by, "m", (2,)):
        thread = threading.Thread(target=wait)
        thread.start()
        entered.wait(0.05)
        order.append("first")
    thread.join(30)
    assert order == ["first", "waiter"]


def test_what_was_used_is_put_right_once(gate: Gate, clock: ManualClock) -> None:
    by = choice(gate, 0, 1)
    told = gate._check_by(by, KEYS, (2, 90))
    gate._settle_by(by, KEYS, (2, 90), told, (None, 10))
    assert left(gate) == [3, 90, 2]
    for used in ((None, 0), (1, 1)):
        with pytest.raises(ValueError, match=r"'model/tokens/minute' was put right or given back"):
            gate._settle_by(by, KEYS, (2, 90), told, used)
    gate._settle_by(by, KEYS, (2, 90), told, (None, None))
    gate._settle_by(by, KEYS, (2, 90), told, (7, None))
    assert left(gate) == [0, 90, 2]
    assert gate._peek_by(by, KEYS, (1, 1)).retry_after == 60
    clock.advance(60)
    told = gate._check_by(by, KEYS, (2, 90))
    gate.refund(KEYS, told)
    with pytest.raises(ValueError, match="'user/minute' was put right or given back before"):
        gate._settle_by(by, KEYS, (2, 90), told, (3, None))
    assert left(gate) == [5, 100, 2]


def test_what_is_no_receipt_puts_nothing_right(gate: Gate, clock: ManualClock) -> None:
    by, cost = choice(gate, 0, 1), (1, 50)
    told = gate._check_by(by, KEYS, cost)
    refused = gate._check_by(by, KEYS, (1, 51))
    other = Gate(LIMITS, clock=clock)._check_by(by, KEYS, cost)
    for decision, keys, used, error, why in [
        (refused, KEYS, (0, 0), ValueError, "it was refused"),
        (copy.copy(told), KEYS, (0, 0), ValueError, "it is a copy"),
        (other, KEYS, (0, 0), ValueError, "of another gate"),
        (told, {"user": "v", "model": "m"}, (None, 0), ValueError, "of other keys"),
        (told, {"user": None, "model": "m"}, (None, 0), ValueError, "of other keys"),
        (told, KEYS, (0,), ValueError, "used must be one for each of the 2 limits"),
        (told, KEYS, (0, -1), ValueError, r"used\[1\] must be an int from 0"),
        (told, KEYS, (0, 1.0), TypeError, r"used\[1\] must be an int"),
        (told, KEYS, [0, 1], TypeError, "tuple"),
        (True, KEYS, (0, 1), TypeError, "must be the GateDecision"),
    ]:
        with pytest.raises(error, match=why):
            gate._settle_by(by, keys, cost, decision, used)  # type: ignore[arg-type]
    assert left(gate) == [4, 50, 2], "nothing is half put right"
    with pytest.raises(ValueError, match="'user/minute', which took no part as its cost was 0"):
        gate._settle_by(by, KEYS, (0, 50), told, (1, 1))


def test_what_let_pass_without_spending_is_left(clock: ManualClock) -> None:
    gate = Gate(
        [Limit("1/minute", by="user", shadow=True), Limit("9/minute", by="org")], clock=clock
    )
    keys, by = {"user": "u", "org": "o"}, choice(gate, 0, 1)
    gate._check_by(by, keys)
    told = gate._check_by(by, keys)
    gate._settle_by(by, keys, (1, 1), told, (0, 0))
    assert [each.remaining for each in gate.peek(keys).limits.values()] == [0, 8]
    told = gate._check_by(choice(gate, 0), "u")
    gate._settle_by(choice(gate, 0), "u", (1,), told, (5,))
    nobody = gate._check_by(by, {"user": None, "org": None})
    gate._settle_by(by, {"user": None, "org": None}, (1, 1), nobody, (5, 0))
    with limits_off():
        off = gate._check_by(by, keys)
        gate._settle_by(by, keys, 1, off, (5, 5))
    gate._settle_by(by, keys, 1, off, (5, 5))
    clock.advance(60)
    assert [each.remaining for each in gate.peek(keys).limits.values()] == [1, 9]


def test_a_choice_outlives_limits_that_are_added_and_no_others(gate: Gate) -> None:
    by = choice(gate, 0, 1)
    told = gate._check_by(by, KEYS, (1, 50))
    gate.set_limits([*LIMITS, Limit("1/hour", by="user", name="new", optional=True)])
    assert gate._check_by(by, KEYS, (1, 1)).limits.keys() == told.limits.keys()
    gate._settle_by(by, KEYS, (1, 50), told, (0, 0))
    assert left(gate) == [4, 99, 2]
    for others in (LIMITS[:1], [LIMITS[1], LIMITS[0]]):
        gate.set_limits(others)
        with pytest.raises(ValueError, match="quotas must be made for the limits"):
            gate._check_by(by, KEYS, (1, 1))


def test_a_gate_holds_more_limits_than_decide_together(clock: ManualClock) -> None:
    limits = [Limit("2/minute", by=f"by {at}", name=f"limit {at}") for at in range(100)]
    gate = Gate(limits, clock=clock)
    assert gate._check_by(choice(gate, 7, 99), {"by 7": "a", "by 99": "b"}, (2, 1))
    told = gate._peek_by(choice(gate, 7, 98, 99), {"by 7": "a", "by 98": "b", "by 99": "b"})
    assert (told.refused_by, told.limits["limit 99"].remaining) == (("limit 7",), 1)
    many = {f"by {at}": "a" for at in range(33)}
    with pytest.raises(ValueError, match="at most 32 limits can take part"):
        gate._check_by(choice(gate, *range(33)), many)
    assert gate._check_by(choice(gate, *range(33)), {**many, "by 7": None})
