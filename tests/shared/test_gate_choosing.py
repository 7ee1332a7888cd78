"""Chosen limits of a gate in a zone: as in memory and by the ledgers."""

from __future__ import annotations

import copy
import time
from pathlib import Path
from typing import Any

import pytest

from chosen_traces import EVERYWHERE, START, WHOLE, Trace
from sluicegate import Gate as MemoryGate
from sluicegate import Limit, ManualClock, Quota, RateLimitError
from sluicegate.shared import Gate
from sluicegate.testing import limits_off

LIMITS = [
    Limit("5/minute", by="user"),
    Limit("100 tokens/minute", by="model"),
    Limit("2 concurrent", by="model", lease_seconds=1),
]
KEYS = {"user": "u", "model": "m"}


def choice(gate: Gate, *places: int) -> Any:
    return gate._quotas(
        [part.quota if at in places else None for at, part in enumerate(gate.parts)]
    )


def left(gate: Gate) -> list[int]:
    told = gate._peek_by(choice(gate, 0, 1, 2), KEYS, (1, 1, 1))
    return [each.remaining for each in told.limits.values()]


def test_only_those_that_are_chosen_decide_and_are_put_right(url: str, clock: ManualClock) -> None:
    gate = Gate(url, LIMITS, clock=clock)
    by, cost = choice(gate, 0, 1), (2, 90)
    told = gate._check_by(by, KEYS, cost)
    assert (list(told.limits), left(gate)) == (["user/minute", "model/tokens/minute"], [3, 10, 2])
    with pytest.raises(TypeError, match=r"permit of the limit 'model/concurrent'"):
        gate._check_by(choice(gate, 0, 2), KEYS)
    with pytest.raises(ValueError, match="it is a copy"):
        gate._settle_by(by, KEYS, cost, copy.copy(told), (0, 0))
    with limits_off():
        gate._settle_by(by, KEYS, cost, told, (0, 0))
    gate._settle_by_sync(by, KEYS, cost, told, (None, 10))
    with pytest.raises(ValueError, match="'model/tokens/minute' was put right"):
        gate._settle_by(by, KEYS, cost, told, (7, 10))
    assert left(gate) == [3, 90, 2]
    gate._settle_by(by, KEYS, cost, told, (7, None))
    assert left(gate) == [0, 90, 2]
    gate.set_limits(LIMITS[1:])
    with pytest.raises(ValueError, match="quotas must be made for the limits"):
        gate._peek_by(by, KEYS, (1, 1))


def test_permits_that_are_chosen_are_renewed(url: str) -> None:
    gate = Gate(url, LIMITS)
    by = choice(gate, 0, 2)
    with gate._reserve_by(by, KEYS, (1, 2)):
        with pytest.raises(RateLimitError), gate._reserve_by(by, KEYS, (1, 1)):
            pass
        time.sleep(1.5)
        assert left(gate) == [4, 100, 0]
    call = gate._reserve_by(by, KEYS, (2, 1))._call
    with pytest.raises(ValueError, match=r"used\[1\] must be None"):
        call.examine((1, 1))
    call.end_sync(call.acquire_sync(0), (3, None))
    assert left(gate) == [1, 100, 2]


def test_a_gate_of_a_thousand_limits(url: str, clock: ManualClock) -> None:
    limits = [Limit("9/minute", by=f"by {at}", name=f"limit {at}") for at in range(1_000)]
    gate = Gate(url, limits, clock=clock)
    quotas: list[Quota | None] = [None] * 1_000
    quotas[3] = quotas[998] = Quota("9/minute")
    told = gate._check_by(gate._quotas(quotas), {"by 3": "a", "by 998": "b"}, (1, 2))
    assert [each.remaining for each in told.limits.values()] == [8, 7]


@pytest.mark.usefixtures("quiet_log")
def test_random_choices_are_counted_as_in_memory(tmp_path: Path) -> None:
    for seed in range(60):
        run(seed, tmp_path)


def run(seed: int, folder: Path) -> None:
    clock = ManualClock(START / 1e6)

    def gates(limits: list[Limit]) -> list[Any]:
        store = f"shared://{folder}/{seed}.zone?size=1m"
        return [MemoryGate(limits, clock=clock), Gate(store, limits, clock=clock)]

    def advance(ticks: int) -> None:
        clock.advance(ticks / 1e6)

    Trace(seed, EVERYWHERE, gates, advance, amounts=WHOLE, only_last=True).run(60)
