"""Choices of a gate's limits beside slow ledgers, and beside a gate that names each limit by its unit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chosen_traces import IN_MEMORY, START, Account, Trace
from receipt_traces import Bucket, Ledger
from sluicegate import Gate, Limit, ManualClock, Quota
from sluicegate._core import CostError


def trace(seed: int) -> Trace:
    clock = ManualClock(START / 1e6)

    def gates(limits: list[Limit]) -> list[Any]:
        return [Gate(limits, clock=clock)]

    return Trace(seed, IN_MEMORY, gates, lambda ticks: clock.advance(ticks / 1e6))


def agrees(seed: int) -> bool:
    try:
        trace(seed).run(60)
    except AssertionError:
        return False
    return True


@pytest.mark.usefixtures("quiet_log")
def test_random_choices_are_counted_as_by_ledgers() -> None:
    for seed in range(150):
        trace(seed).run(60)


@pytest.mark.usefixtures("quiet_log")
@pytest.mark.parametrize("wrong", ["owe", "give_back", "left"])
def test_a_wrong_ledger_is_found_out(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if wrong == "left":
        monkeypatch.setattr(Account, wrong, lambda account, *_: account.limit)
    elif wrong == "owe":
        monkeypatch.setattr(Account, wrong, lambda *_: None)
    else:
        for kind in (Bucket, Ledger):
            monkeypatch.setattr(kind, wrong, lambda *_: None)
    assert not all(map(agrees, range(30)))


amounts = st.integers(1, 6)
limits = st.lists(
    st.tuples(st.sampled_from(IN_MEMORY), amounts, st.sampled_from([1, 2, 7]), st.booleans()),
    min_size=1,
    max_size=5,
)
#: Of each limit: whether it is chosen, by which amount, its cost and key, and what is used of it.
asked = st.tuples(
    st.booleans(),
    amounts | st.none(),
    st.integers(0, 3),
    st.sampled_from(["a", "b", None]),
    st.integers(0, 9) | st.none(),
)
calls = st.lists(
    st.tuples(
        st.sampled_from(["check", "check", "peek", "settle"]),
        st.integers(0, 2_000_000),
        st.lists(asked, min_size=5, max_size=5),
    ),
    max_size=25,
)


class Pair:
    """A gate whose limits are chosen, and one whose limits have each a unit, a key and a function."""

    def __init__(self, limits: list[Any]) -> None:
        self.limits, self.clock = limits, ManualClock(START / 1e6)
        self.named: dict[int, Quota] = {}
        many = range(len(limits))
        self.gate = Gate([self.limit(at, "requests") for at in many], clock=self.clock)
        plans = [self.limit(at, f"u{at}", quota_for=self.plan(at)) for at in many]
        self.other = Gate(plans, clock=self.clock)
        #: What was admitted, as each of them puts it right.
        self.spent: list[tuple[Any, Any, dict[int, Any], Any, Any]] = []

    def limit(self, at: int, unit: str, **options: Any) -> Limit:
        algorithm, amount, seconds, shadow = self.limits[at]
        quota = Quota(amount, seconds, unit=unit)
        name, by = f"l{at}", f"k{at}"
        return Limit(quota, by=by, name=name, algorithm=algorithm, shadow=shadow, **options)

    def plan(self, at: int) -> Callable[[str], Quota]:
        return lambda _: self.named[at]

    def quota(self, at: int, amount: int | None, unit: str) -> Quota:
        own, seconds = self.limits[at][1:3]
        return Quota(amount or own, seconds, unit=unit)

    def step(self, verb: str, ticks: int, asked: list[Any]) -> None:
        self.clock.advance(ticks * 1e-6)
        chosen = {at: each for at, each in enumerate(asked[: len(self.limits)]) if each[0]}
        if verb == "settle":
            self.settle()
        elif any(each[2] for each in chosen.values()):
            self.ask(verb, chosen)

    def ask(self, verb: str, chosen: dict[int, Any]) -> None:
        many = range(len(self.limits))
        self.named = {at: self.quota(at, each[1], f"u{at}") for at, each in chosen.items()}
        mine = [self.quota(at, chosen[at][1], "requests") if at in chosen else None for at in many]
        keys = {f"k{at}": chosen[at][3] if at in chosen else None for at in many}
        costs = {f"u{at}": chosen[at][2] if at in chosen else 0 for at in many}
        quotas = self.gate._quotas(mine)
        call = (
            quotas,
            {f"k{at}": each[3] for at, each in chosen.items()},
            tuple(each[2] for each in chosen.values()),
        )
        spends = verb == "check"
        told = outcome(lambda: self.gate._check_by(*call) if spends else self.gate._peek_by(*call))
        held: Any = None
        if spends:
            held = outcome(lambda: self.other.reserve(keys, costs)._call)
        if isinstance(held, str):
            assert told == held
            return
        other = held.acquire_sync(0) if spends else outcome(lambda: self.other.peek(keys, costs))
        assert told == other
        if spends and told:
            self.spent.append((call, told, chosen, held, other))

    def settle(self) -> None:
        if not self.spent:
            return
        (quotas, keys, cost), told, chosen, held, other = self.spent.pop()
        used = tuple(each[4] if each[2] else None for each in chosen.values())
        self.gate._settle_by(quotas, keys, cost, told, used)
        takes_part = {at: each for at, each in chosen.items() if each[2] and each[3] is not None}
        by_unit = {f"u{at}": each[4] for at, each in takes_part.items() if each[4] is not None}
        held.end_sync(other, by_unit)


def outcome(ask: Callable[[], Any]) -> Any:
    """What comes of it, or which limit could never admit it."""
    try:
        return ask()
    except CostError as error:
        return error.name


@pytest.mark.usefixtures("quiet_log")
@settings(deadline=None)
@given(limits, calls)
def test_a_choice_is_a_call_that_names_each_limit(limits: list[Any], trace: list[Any]) -> None:
    pair = Pair(limits)
    for verb, ticks, asked in trace:
        pair.step(verb, ticks, asked)
    counted = [gate.statistics() for gate in (pair.gate, pair.other)]
    assert counted[0] == counted[1]
