"""A check that names no cost is read in one go: it answers as one that does."""

from __future__ import annotations

from collections import UserDict
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate import Gate, Limit, ManualClock
from sluicegate.testing import limits_off


class Text(str):
    """A key of a class of its own."""


LIMITS: dict[str, list[Limit]] = {
    "one key": [Limit("2/second; 3/minute")],
    "two keys": [Limit("2/second; 5/minute", by="user"), Limit("3/second", by="org")],
    "optional": [Limit("2/second", by="user"), Limit("3/second", by="org", optional=True)],
    "watching": [Limit("2/second", by="user"), Limit("1/second", by="org", shadow=True)],
    "a plan": [
        Limit("2/second", by="user", quota_for=lambda key: "1/second"),
        Limit("9/minute", by="org"),
    ],
    "tokens": [Limit("2 tokens/second", by="user")],
    "many": [Limit(f"{n}/{n} minutes", by="user", name=f"limit {n}") for n in range(1, 8)],
}
keys = st.sampled_from(["a", "b", "", "ä", "\ud800", Text("a"), None, 1, b"a"])
mappings = st.dictionaries(st.sampled_from(["user", "org", "key", "other", Text("user")]), keys)
wrapped = st.sampled_from([dict, MappingProxyType, UserDict])
calls = keys | st.builds(lambda wrap, given: wrap(given), wrapped, mappings)


def outcome(check: Any, *arguments: Any) -> Any:
    try:
        return check(*arguments)
    except (TypeError, ValueError) as error:
        return type(error), str(error)


@given(st.sampled_from(sorted(LIMITS)), st.lists(calls, max_size=12))
def test_a_plain_check_is_a_check(name: str, asked: list[Any]) -> None:
    plain, general = (Gate(LIMITS[name], clock=ManualClock()) for _ in range(2))
    for call in asked:
        assert outcome(plain.check, call) == outcome(general.check, call, 1)
    assert plain.statistics() == general.statistics()


def test_more_limits_than_a_decision_has(clock: ManualClock) -> None:
    gate = Gate([Limit("9/s", by="user", name=f"{n}") for n in range(33)], clock=clock)
    with pytest.raises(ValueError, match="at most 32 limits"):
        gate.check({"user": "a"})


def test_limits_that_are_off_and_receipts(clock: ManualClock) -> None:
    gate = Gate("1/second", clock=clock)
    with limits_off():
        assert all(gate.check("a") for _ in range(9))
    decision = gate.check("a")
    assert decision
    assert not gate.check("a")
    gate.refund("a", decision)
    assert gate.check("a")
    assert gate.statistics()[:2] == (2, 1)
