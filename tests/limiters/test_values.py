"""Values and clocks: pickled, copied, made by hand."""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
import weakref
from typing import Any

import pytest

from sluicegate import Decision, FixedWindow, ManualClock, TokenBucket


def test_values_survive_a_pickle_and_a_copy(clock: ManualClock) -> None:
    limiter = TokenBucket(capacity=3, refill_rate=0.3, clock=ManualClock(1.7e9 + 0.123457))
    values = [
        *(limiter.check("a", 2) for _ in range(2)),
        limiter.statistics(),
        limiter.config,
    ]
    for value in values:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(value, protocol)) == value
        assert copy.copy(value) == copy.deepcopy(value) == value
        assert repr(pickle.loads(pickle.dumps(value))) == repr(value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"limit": 0}, "limit must be"),
        ({"retry_after": -1.0}, "retry_after must be"),
        ({"reset_at": math.nan}, "reset_at must be"),
        ({"store": "else where"}, "store must be a name of 1 to 64 letters"),
        ({"store": ""}, "store must be a name"),
        ({"store": "x" * 65}, "store must be a name"),
        ({"store": 5}, "store must be a str, got int 5"),
    ],
)
def test_a_decision_made_by_hand_is_checked(wrong: dict[str, Any], message: str) -> None:
    parts: dict[str, Any] = {
        "allowed": True,
        "limit": 3,
        "remaining": 2,
        "retry_after": 0.0,
        "reset_after": 1.5,
        "reset_at": 10.0,
    }
    assert Decision(**parts).info == {"remaining": 2, "reset_at": 10.0}
    with pytest.raises((ValueError, TypeError), match=message):
        Decision(**{**parts, **wrong})


def test_a_limiter_of_ones_own_gives_its_decisions_its_name() -> None:
    mine = Decision(False, 3, 0, 1.5, 1.5, 10.0, store="mine")
    assert mine.store == "mine"
    assert mine == Decision(False, 3, 0, 1.5, 1.5, 10.0, "mine")
    assert mine != Decision(False, 3, 0, 1.5, 1.5, 10.0, "yours")
    assert hash(mine) == hash(pickle.loads(pickle.dumps(mine)))
    assert repr(mine).endswith("store='mine')")
    assert pickle.loads(pickle.dumps(mine)).store == "mine"


def test_names_of_stores_are_kept_for_good_so_there_are_not_too_many() -> None:
    code = (
        "from sluicegate import Decision\n"
        "made = [Decision(True, 1, 1, 0, 0, 0, f'store-{n}') for n in range(1_000)]\n"
        "assert [d.store for d in made] == [f'store-{n}' for n in range(1_000)]\n"
        "assert Decision(True, 1, 1, 0, 0, 0, 'store-7').store == 'store-7'\n"
        "try:\n"
        "    Decision(True, 1, 1, 0, 0, 0, 'one-more')\n"
        "except ValueError as error:\n"
        "    assert 'at most 1,000 names' in str(error), error\n"
        "else:\n"
        "    raise AssertionError\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_limiters_can_be_referred_to_weakly(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 1, clock=clock)
    seen = weakref.ref(limiter)
    assert seen() is limiter
    del limiter
    assert seen() is None


def test_a_wrong_clock_is_named() -> None:
    with pytest.raises(TypeError, match=r"clock must be a ManualClock or None, got float 1\.5"):
        FixedWindow(1, 1, clock=1.5)  # type: ignore[arg-type]


def test_a_clock_moves_no_further_than_its_range(clock: ManualClock) -> None:
    clock.advance(7.9e9)
    with pytest.raises(ValueError, match="seconds must be a number of seconds from 0 to 1"):
        clock.advance(1.1e8)
    clock.advance(1e8)
    assert clock.time() == 8e9
