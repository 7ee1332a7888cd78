"""A gate against one limiter a limit: it admits when all of them would, and spends from all or from none."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gate_oracle import KINDS, START, follows, gate_of
from sluicegate import ManualClock, Quota

limits = st.builds(
    lambda kind, by, amount, seconds, unit, shadow: {
        "kind": kind,
        "by": by,
        "quota": Quota(amount, seconds, unit=unit),
        "shadow": shadow,
    },
    kind=st.sampled_from(sorted(KINDS)),
    by=st.sampled_from(["user", "org"]),
    amount=st.integers(1, 6),
    seconds=st.sampled_from([1, 2, 7]),
    unit=st.sampled_from(["requests", "tokens"]),
    shadow=st.sampled_from([False, False, False, True]),
)
calls = st.tuples(
    st.sampled_from(
        ["check", "check", "check", "peek", "refund", "reset", "retry", "wait a while"]
    ),
    st.sampled_from(["a", "b", None]),
    st.sampled_from(["a", "b", "a", None]),
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(0, 2_000_000),
)


@settings(deadline=None)
@given(st.lists(limits, min_size=1, max_size=5), st.lists(calls, max_size=40))
def test_a_gate_is_all_of_its_limits_or_none(
    given_limits: list[dict[str, Any]], trace: list[Any]
) -> None:
    clock = ManualClock(START)
    follows(gate_of(given_limits, clock), clock, given_limits, trace)
