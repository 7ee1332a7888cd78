"""The oracle of gates finds out those that are wrong: rows of limiters that forget, or give too much back."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gate_oracle import KINDS, START, Model, follows, gate_of
from sluicegate import Decision, GateDecision, ManualClock, Quota


class Row:
    """A gate as one would write it at first: one limiter after the other. Of it there are mutants."""

    def __init__(self, limits: list[dict[str, Any]], clock: ManualClock) -> None:
        self.model = Model(limits, clock)
        self.limits = limits
        self.spent: dict[int, tuple[GateDecision, dict[int, Decision]]] = {}

    def asked(
        self, keys: dict[str, str | None], cost: dict[str, int]
    ) -> dict[int, tuple[str, int]]:
        both, full = {"user": None, "org": None, **keys}, {"requests": 0, "tokens": 0, **cost}
        return self.model.asked(both, full)

    def check(self, keys: dict[str, str | None], cost: dict[str, int]) -> GateDecision:
        asked = self.asked(keys, cost)
        looks = {place: self.model.look(place, *call) for place, call in asked.items()}
        spent, refused = self.spend(asked)
        if refused:
            self.give_back(asked, spent)
        told = self.told(looks if refused else {**looks, **spent})
        self.spent[id(told)] = told, spent
        return told

    def spend(self, asked: dict[int, tuple[str, int]]) -> tuple[dict[int, Decision], bool]:
        spent: dict[int, Decision] = {}
        for place, call in asked.items():
            single, watches = self.model.singles[place], self.limits[place]["shadow"]
            decision = single.check(*call) if call[1] <= single.limit else None
            if decision is not None and decision.allowed:
                spent[place] = decision
            elif not watches:
                return spent, True
        return spent, False

    def give_back(self, asked: dict[int, tuple[str, int]], spent: dict[int, Decision]) -> None:
        for place, decision in spent.items():
            self.model.singles[place].refund(asked[place][0], decision)

    def peek(self, keys: dict[str, str | None], cost: dict[str, int]) -> GateDecision:
        asked = self.asked(keys, cost)
        return self.told({place: self.model.look(place, *call) for place, call in asked.items()})

    def told(self, looks: dict[int, Decision | None]) -> GateDecision:
        never = Decision(False, 1, 0, 1.0, 1.0, 0.0, "memory")
        told = {f"l{place}": never if look is None else look for place, look in looks.items()}
        return GateDecision(told, [f"l{place}" for place in looks if self.limits[place]["shadow"]])

    def refund(self, keys: dict[str, str | None], decision: GateDecision) -> None:
        for place, single in self.spent[id(decision)][1].items():
            self.comes_back(place, keys[self.limits[place]["by"]] or "", single)

    def comes_back(self, place: int, key: str, spent: Decision) -> None:
        self.model.singles[place].refund(key, spent)

    def reset(self, keys: dict[str, str | None]) -> None:
        for place, each in enumerate(self.limits):
            key = keys[each["by"]]
            if key is not None:
                self.model.singles[place].reset(key)


class SpendsBeforeTheLastLook(Row):
    """Those before the one that refuses have spent."""

    def give_back(self, *_: object) -> None: ...


class ForgetsAGiveBack(Row):
    """The first of them does not get it back."""

    def give_back(self, asked: dict[int, tuple[str, int]], spent: dict[int, Decision]) -> None:
        super().give_back(asked, dict(list(spent.items())[1:]))


class RefundsWhatHasComeBack(Row):
    """It gives units back that do not count any more, or have been refilled: somebody else's."""

    def comes_back(self, place: int, key: str, spent: Decision) -> None:
        self.model.singles[place].refund(key)


class RefundsOfOneOnly(Row):
    """The others keep what was spent."""

    def refund(self, keys: dict[str, str | None], decision: GateDecision) -> None:
        for place, single in list(self.spent[id(decision)][1].items())[:1]:
            self.comes_back(place, keys[self.limits[place]["by"]] or "", single)


class AShadowRefuses(Row):
    """One that only watches is taken for one in force."""

    def told(self, looks: dict[int, Decision | None]) -> GateDecision:
        told = super().told(looks)
        return GateDecision(dict(told.limits), [])


def a_trace(seed: int) -> tuple[list[dict[str, Any]], list[Any]]:
    chance = random.Random(seed)
    kinds = sorted(KINDS)
    given_limits = [
        {
            "kind": chance.choice(kinds),
            "by": chance.choice(["user", "org"]),
            "quota": Quota(
                chance.randint(1, 6),
                chance.choice([1, 2, 7]),
                unit=chance.choice(["requests", "tokens"]),
            ),
            "shadow": chance.random() < 0.2,
        }
        for _ in range(chance.randint(1, 5))
    ]
    verbs = ["check", "check", "check", "peek", "refund", "reset", "retry", "wait a while"]
    trace = [
        (
            chance.choice(verbs),
            chance.choice(["a", "b", None]),
            chance.choice(["a", "b", "a", None]),
            chance.randint(1, 3),
            chance.randint(0, 3),
            chance.randint(0, 2_000_000),
        )
        for _ in range(40)
    ]
    return given_limits, trace


def strays(kind: Any, seed: int) -> bool:
    given_limits, trace = a_trace(seed)
    clock = ManualClock(START)
    try:
        follows(kind(given_limits, clock), clock, given_limits, trace)
    except AssertionError:
        return True
    return False


@pytest.mark.parametrize("kind", [gate_of, Row])
def test_what_is_right_does_as_its_limits(kind: Any) -> None:
    assert not any(strays(kind, seed) for seed in range(60))


@pytest.mark.parametrize(
    "mutant",
    [
        SpendsBeforeTheLastLook,
        ForgetsAGiveBack,
        RefundsWhatHasComeBack,
        RefundsOfOneOnly,
        AShadowRefuses,
    ],
)
def test_a_gate_that_is_wrong_is_found_out(mutant: Any) -> None:
    assert any(strays(mutant, seed) for seed in range(100))
