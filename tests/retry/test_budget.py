"""The retry budget against a slow and obvious model, in threads, and at its edges."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate import ManualClock
from sluicegate.retry import RetryBudget

STEPS = st.lists(st.tuples(st.integers(0, 25), st.booleans()), max_size=120)


@given(steps=STEPS, tenths=st.integers(0, 10), minimum=st.integers(0, 3))
def test_it_agrees_with_the_model(steps: list[tuple[int, bool]], tenths: int, minimum: int) -> None:
    clock = ManualClock()
    budget = RetryBudget(tenths / 10, 10, minimum, clock=clock)
    calls: list[int] = []
    retries: list[int] = []
    now = 0
    for quarters, is_call in steps:
        clock.advance(quarters / 4)
        now += quarters
        second = now // 4
        if is_call:
            budget.count_call()
            calls.append(second)
            continue
        live_calls = sum(second - then < 10 for then in calls)
        live_retries = sum(second - then < 10 for then in retries)
        expected = live_retries + 1 <= minimum + Fraction(tenths, 10) * live_calls
        assert budget.try_retry() is expected
        if expected:
            retries.append(second)


def test_the_ratio_is_read_as_written(clock: ManualClock) -> None:
    budget = RetryBudget(0.29, 10, 0, clock=clock)
    for _ in range(100):
        budget.count_call()
    assert sum(budget.try_retry() for _ in range(100)) == 29


def test_threads_share_it_exactly(clock: ManualClock) -> None:
    budget = RetryBudget(0.1, 10, 7, clock=clock)

    def work(_: int) -> int:
        retries = 0
        for _ in range(2_000):
            budget.count_call()
            retries += budget.try_retry() + budget.try_retry()
        return retries

    with ThreadPoolExecutor(8) as pool:
        retries = sum(pool.map(work, range(8)))
    assert retries == 1_600 + 7


def test_it_comes_back_when_the_window_has_passed(clock: ManualClock) -> None:
    budget = RetryBudget(0, 60, 2, clock=clock)
    assert [budget.try_retry() for _ in range(3)] == [True, True, False]
    clock.advance(59)
    assert not budget.try_retry()
    clock.advance(1)
    assert budget.try_retry()


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"ratio": 1.1}, ValueError, "ratio must be a number of retries per call from 0 to 1"),
        ({"ratio": True}, TypeError, "ratio must be an int or a float"),
        ({"window_seconds": 0}, ValueError, "window_seconds must be a number of seconds"),
        ({"minimum": -1}, ValueError, "minimum must be an int from 0"),
        ({"minimum": 1.5}, TypeError, "minimum must be an int, got float"),
        ({"clock": 1}, TypeError, "clock must be a ManualClock or None, got 1"),
    ],
)
def test_bad_arguments(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        RetryBudget(**options)
