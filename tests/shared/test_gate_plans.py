"""Refunds of a gate in a zone whose keys have quotas of their own."""

from __future__ import annotations

import pytest

from sluicegate import Limit, ManualClock
from sluicegate.shared import Gate


@pytest.mark.parametrize(
    ("quota", "plan"),
    [
        ("10/second burst 50", "3/second burst 7"),
        ("3/second burst 50", "10/second burst 7"),
        ("50/minute", "7/minute"),
    ],
)
def test_what_a_plan_spent_comes_back(url: str, quota: str, plan: str) -> None:
    clock = ManualClock(1_000)
    gate = Gate(url, [Limit(quota, by="user", quota_for={"ada": plan}.get)], clock=clock)
    first = gate.check({"user": "ada"}, cost=5)
    assert (first.limit, first.remaining) == (7, 2)
    gate.refund({"user": "ada"}, first)
    assert gate.peek({"user": "ada"}).remaining == 7
    with gate.reserve({"user": "ada"}, cost=5) as reservation:
        reservation.settle(requests=1)
    assert gate.peek({"user": "ada"}).remaining == 6
    other = gate.check({"user": "bob"}, cost=5)
    assert other.limit == 50
    gate.refund({"user": "bob"}, other)
    assert gate.peek({"user": "bob"}).remaining == 50
