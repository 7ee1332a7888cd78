"""What a gate in a zone refuses: each a clear error, and nothing is spent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sluicegate import Limit, ManualClock
from sluicegate.shared import Gate

KEYS = {"user": "u", "model": "m"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"shared://{tmp_path}/limits.zone?size=1m"


def test_algorithms_that_a_zone_has_none_of_are_refused_with_advice(store: str) -> None:
    for limits, error in (
        (Limit("10/minute", algorithm="sliding_window"), "name 'segmented_window'"),
        (Limit("10000/day"), "algorithm='fixed_window'"),
        (Limit("100/day in UTC"), "no calendar"),
        (Limit("100/day in UTC", algorithm="fixed_window"), "no calendar"),
        (Limit("70000 concurrent"), "65,535"),
    ):
        with pytest.raises(ValueError, match=error):
            Gate(store, [limits])
    gate = Gate(store, [Limit("10000/day", algorithm="segmented_window"), "5/second burst 9"])
    assert [part.algorithm for part in gate.parts] == ["segmented_window", "token_bucket"]


@pytest.mark.parametrize(
    ("arguments", "options", "error"),
    [
        ((1, "5/second"), {}, "store must be a URL"),
        (("shared:///x", "5/second"), {"name": 5}, "name must be a str"),
        (("shared:///x", "5/second"), {"name": ""}, "name must be 1 to 64"),
        (("shared:///x", "5/second"), {"prefix": ""}, "prefix must be"),
        (("shared:///x", "5/second"), {"clock": 1}, "clock must be"),
        (("shared:///x", 5), {}, "limits must be"),
    ],
)
def test_bad_arguments_are_named(arguments: Any, options: Any, error: str) -> None:
    with pytest.raises((TypeError, ValueError), match=error):
        Gate(*arguments, **options)


def test_bad_calls_are_named_and_spend_nothing(store: str, clock: ManualClock) -> None:
    limits = [Limit("10/minute", by="user"), Limit("1000 tokens/minute", by="model")]
    gate = Gate(store, limits, clock=clock)
    for keys, cost, error in (
        ({"user": "u"}, {"tokens": 1}, "keys must have 'model'"),
        ({**KEYS, "x": "y"}, {"tokens": 1}, "keys must be of what"),
        (KEYS, {"tokens": 1_001}, "it could never"),
        (KEYS, {"points": 1}, "cost must be of the units"),
        (KEYS, 1, "cost must say how many tokens"),
    ):
        with pytest.raises((TypeError, ValueError), match=error):
            gate.check(keys, cost)
    left = gate.peek(KEYS, {"tokens": 1}).limits
    assert [each.remaining for each in left.values()] == [10, 1_000]
