"""What a gate's verbs do: keys, costs, names, plans, shadows, statistics, and changed limits."""

from __future__ import annotations

import copy
import gc
import logging
import pickle
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sluicegate import Decision, Gate, GateDecision, Limit, ManualClock, Quota
from sluicegate.testing import limits_off

KEYS = {"user": "u1", "org": "acme", "model": "m"}


def chat(clock: ManualClock, **options: Any) -> Gate:
    return Gate(
        [
            Limit("5/second; 10000/day", by="user", **options),
            Limit("1000000/day", by="org", algorithm="fixed_window"),
            Limit("40000 tokens/minute", by="model"),
        ],
        name="chat",
        clock=clock,
    )


def left(gate: Gate, keys: Any, cost: Any = 1) -> dict[str, int]:
    return {name: each.remaining for name, each in gate.peek(keys, cost).limits.items()}


def test_one_key_with_several_windows(clock: ManualClock) -> None:
    gate = Gate("5/second; 300/minute; 10000/day", clock=clock)
    assert [part.name for part in gate.parts] == ["key/second", "key/minute", "key/day"]
    assert [gate.check("user:1").allowed for _ in range(6)] == [True] * 5 + [False]
    refused = gate.check("user:1")
    assert (refused.name, refused.refused_by) == ("key/second", ("key/second",))
    assert (refused.limit, refused.remaining, refused.retry_after) == (5, 0, 1.0)
    assert left(gate, "user:1") == {"key/second": 0, "key/minute": 295, "key/day": 9_995}
    assert gate.check({"key": "user:2"}), "the same by its name"
    admitted = gate.check("user:3")
    assert (admitted.name, admitted.remaining, admitted.retry_after) == ("key/second", 4, 0.0)
    allowed, info = admitted
    assert (allowed, info["remaining"]) == (True, 4)


def test_several_keys_and_units(clock: ManualClock) -> None:
    gate = chat(clock)
    decision = gate.check(KEYS, cost={"tokens": 39_000})
    assert decision
    assert decision.name == "model/tokens/minute"
    assert left(gate, KEYS, {"tokens": 1}) == {
        "user/second": 4,
        "user/day": 9_999,
        "org/day": 999_999,
        "model/tokens/minute": 1_000,
    }
    refused = gate.check({**KEYS, "user": "u2"}, cost={"tokens": 2_000})
    assert refused.refused_by == ("model/tokens/minute",)
    assert refused.retry_after == pytest.approx(61, abs=1e-5), "one part of a sixtieth late"
    assert refused.limits["user/second"].allowed
    assert left(gate, KEYS, {"tokens": 1})["org/day"] == 999_999, "nothing is spent anywhere"
    assert gate.check(KEYS, cost={"tokens": 0, "requests": 2}), "a unit of 0 takes no part"
    assert left(gate, KEYS, {"tokens": 1})["user/second"] == 2


def test_a_key_that_is_none_or_optional_takes_no_part(clock: ManualClock) -> None:
    gate = Gate(
        [
            Limit("1/minute", by="user"),
            Limit("2/minute", by="org", optional=True),
            Limit("3/minute", by="all"),
        ],
        clock=clock,
    )
    assert set(gate.check({"user": "u", "all": ""}).limits) == {"user/minute", "all/minute"}
    assert set(gate.check({"user": None, "org": "o", "all": ""}).limits) == {
        "org/minute",
        "all/minute",
    }
    nobody = gate.check({"user": None, "org": None, "all": None})
    assert nobody
    assert (nobody.name, dict(nobody.limits), nobody.refused_by) == (None, {}, ())
    assert gate.statistics().admitted == 3


def test_equal_keys_of_two_limits_are_each_charged_once(clock: ManualClock) -> None:
    gate = Gate([Limit("5/minute", by="user"), Limit("7/minute", by="org")], clock=clock)
    assert gate.check({"user": "same", "org": "same"}, 2)
    assert left(gate, {"user": "same", "org": "same"}) == {"user/minute": 3, "org/minute": 5}


def test_one_limit_in_two_gates_counts_apart(clock: ManualClock) -> None:
    limit = Limit("1/minute")
    one, other = Gate(limit, clock=clock), Gate([limit], clock=clock)
    assert one.check("k")
    assert other.check("k")
    assert not one.check("k")


@pytest.mark.parametrize(
    ("limits", "names"),
    [
        ("300 per 5 minutes", ["key/5 minutes"]),
        ("10/second burst 20; 4 tokens/minute", ["key/second", "key/tokens/minute"]),
        ([Limit("5 concurrent; 5/s", by="model")], ["model/concurrent", "model/second"]),
        ([Limit("5/s", name="all"), Limit("5/s; 9/m", name="b")], ["all", "b/second", "b/minute"]),
        ([Quota(5, 0.25), "9/day in UTC"], ["key/0.25 seconds", "key/day in UTC"]),
    ],
)
def test_names_tell_key_and_window_and_never_the_amount(limits: Any, names: list[str]) -> None:
    assert [part.name for part in Gate(limits).parts] == names


@pytest.mark.parametrize(
    ("quota", "algorithm"),
    [
        ("1000/day", "sliding_log"),
        ("1001/day", "segmented_window"),
        ("10/second burst 5", "token_bucket"),
        ("9/day in UTC", "fixed_window"),
        ("5 concurrent", "permits"),
    ],
)
def test_the_algorithm_is_one_that_is_never_over_the_limit(quota: str, algorithm: str) -> None:
    assert [part.algorithm for part in Gate(quota).parts] == [algorithm]


def test_a_plan_names_the_quotas_of_a_key(clock: ManualClock) -> None:
    plans: dict[str, Any] = {
        "big": "50/second; 1000000/day",
        "one": Quota("7/second"),
        "free": None,
        "staff": "unlimited",
    }
    asked = []

    def plan_of(user: str) -> Any:
        asked.append(user)
        return plans[user]

    gate = chat(clock, quota_for=plan_of)

    def limits(user: str) -> dict[str, int]:
        told = gate.check({**KEYS, "user": user}, {"tokens": 1}).limits
        return {name: each.limit for name, each in told.items() if name.startswith("user")}

    assert limits("big") == {"user/second": 50, "user/day": 1_000_000}
    assert limits("one") == {"user/second": 7}, "a part that a plan lacks does not apply"
    assert limits("free") == {"user/second": 5, "user/day": 10_000}
    assert limits("staff") == {}
    assert asked == ["big", "one", "free", "staff"], "once a call, not once a part"
    plans["big"] = "2/second"
    assert limits("big") == {"user/second": 2}
    refused = gate.check({**KEYS, "user": "big"}, {"tokens": 1})
    assert refused.refused_by == ("user/second",), "what was spent stays spent"
    gate.check({**KEYS, "user": None}, {"tokens": 1})
    assert asked.count("big") == 3


def test_a_shadow_refuses_nobody_and_counts(clock: ManualClock) -> None:
    gate = Gate([Limit("5/minute"), Limit("2/minute", name="new", shadow=True)], clock=clock)
    told = [gate.check("k") for _ in range(6)]
    assert [each.allowed for each in told] == [True] * 5 + [False]
    assert [each.limits["new"].allowed for each in told] == [True] * 2 + [False] * 4
    assert told[2].refused_by == ()
    assert told[5].refused_by == ("key/minute",)
    counts = gate.statistics()
    assert (counts.admitted, counts.refused) == (5, 1)
    assert counts.limits["new"].would_have_refused == 4
    assert (counts.limits["new"].admitted, counts.limits["new"].refused) == (2, 0)
    assert (counts.limits["key/minute"].admitted, counts.limits["key/minute"].refused) == (5, 1)
    only = Gate(Limit("1/minute", shadow=True), clock=clock)
    assert [only.check("k", 3).name for _ in range(3)] == [None] * 3
    assert only.statistics().limits["key/minute"].would_have_refused == 3


def test_refund_gives_back_what_the_decision_spent_once(clock: ManualClock) -> None:
    gate = chat(clock)
    decision = gate.check(KEYS, {"tokens": 900})
    before = left(gate, KEYS, {"tokens": 1})
    clock.advance(30)
    gate.refund(KEYS, decision)
    after = left(gate, KEYS, {"tokens": 1})
    assert after["model/tokens/minute"] == before["model/tokens/minute"] + 900
    assert after["org/day"] == before["org/day"] + 1
    refused = chat(clock)
    bad: list[tuple[Gate, Any, Any, str]] = [
        (gate, KEYS, decision, "given back before"),
        (gate, KEYS, copy.copy(gate.check(KEYS, {"tokens": 1})), "copy"),
        (gate, {**KEYS, "org": "other"}, gate.check(KEYS, {"tokens": 1}), "other keys"),
        (gate, {"org": "acme"}, gate.check(KEYS, {"tokens": 1}), "other keys"),
        (refused, KEYS, gate.check(KEYS, {"tokens": 1}), "another gate"),
        (gate, KEYS, gate.check({**KEYS, "user": "u9"}, {"tokens": 40_000}), "refused"),
    ]
    start = left(gate, KEYS, {"tokens": 1})
    for one, keys, receipt, why in bad:
        with pytest.raises(ValueError, match=why):
            one.refund(keys, receipt)
    assert left(gate, KEYS, {"tokens": 1}) == start
    with pytest.raises(TypeError, match="GateDecision"):
        gate.refund(KEYS, 1)  # type: ignore[arg-type]


def test_reset_forgets_the_keys_that_are_named(clock: ManualClock) -> None:
    gate = chat(clock)
    gate.check(KEYS, {"tokens": 10})
    gate.reset({"user": "u1"})
    assert left(gate, KEYS, {"tokens": 1})["user/second"] == 5
    assert left(gate, KEYS, {"tokens": 1})["org/day"] == 999_999
    gate.clear()
    assert left(gate, KEYS, {"tokens": 1})["org/day"] == 1_000_000
    with pytest.raises(ValueError, match="'usr'"):
        gate.reset({"usr": "u1"})


def test_other_limits_keep_what_is_the_same(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate([Limit("5/second; 900/day", by="user")], clock=clock)
    for _ in range(4):
        gate.check("u")
    with caplog.at_level(logging.WARNING, "sluicegate"):
        gate.set_limits([Limit("9/second; 90000/day; 70/minute", by="user", name=None)])
    assert not caplog.records
    assert left(gate, "u") == {"user/second": 5, "user/day": 89_996, "user/minute": 70}
    assert gate.parts[1].algorithm == "sliding_log", "it is chosen once"
    with caplog.at_level(logging.WARNING, "sluicegate"):
        gate.set_limits(Limit("9/second", by="user", algorithm="fixed_window"))
    assert [record.args[0] for record in caplog.records if record.args] == ["user/second"]
    assert left(gate, "u") == {"user/second": 9}
    decision = gate.check("u")
    with pytest.raises(ValueError, match="names that differ"):
        gate.set_limits("5/second; 9/second")
    gate.set_limits([Limit("9/second", by="user", algorithm="fixed_window"), Limit("3/day")])
    gate.refund({"user": "u", "key": "k"}, decision)
    assert left(gate, {"user": "u", "key": "k"}) == {"user/second": 9, "key/day": 3}


def test_limits_off_admits_and_still_checks_arguments(clock: ManualClock) -> None:
    gate = chat(clock)
    with limits_off():
        for _ in range(9):
            decision = gate.check(KEYS, {"tokens": 900})
            assert decision
        assert set(decision.limits) == {part.name for part in gate.parts}
        with pytest.raises(ValueError, match="tokens"):
            gate.check(KEYS)
        gate.refund(KEYS, decision)
    assert gate.statistics().admitted == 0
    assert left(gate, KEYS, {"tokens": 1})["user/second"] == 5


def test_a_decision_is_a_value(clock: ManualClock) -> None:
    gate = chat(clock)
    decision = gate.check(KEYS, {"tokens": 9})
    same = pickle.loads(pickle.dumps(decision))
    assert (same, hash(same), repr(same)) == (decision, hash(decision), repr(decision))
    assert isinstance(same, Decision)
    assert same != gate.check(KEYS, {"tokens": 9})
    with pytest.raises(TypeError):
        decision.limits["user/second"] = same  # type: ignore[index]
    made = GateDecision(
        {"a": Decision(False, 5, 0, 2, 2, 9), "b": Decision(True, 5, 1, 0, 2, 9)}, shadow=["b"]
    )
    assert (made.allowed, made.name, made.refused_by) == (False, "a", ("a",))
    for arguments, error in [
        (({"a": 1},), TypeError),
        ((5,), TypeError),
        (({"a": Decision(True, 5, 1, 0, 2, 9)}, ["b"]), ValueError),
    ]:
        with pytest.raises(error):
            GateDecision(*arguments)


def test_a_gate_is_itself_and_is_collected() -> None:
    gate = Gate("5/second")
    assert copy.deepcopy(gate) is gate
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(gate)
    plans: dict[str, Any] = {}
    cycle = Gate(Limit("5/second", quota_for=plans.get))
    plans["gate"] = cycle
    known = weakref.ref(cycle)
    del cycle, plans
    gc.collect()
    assert known() is None


def test_eight_threads_admit_exactly_the_smallest(clock: ManualClock) -> None:
    for _ in range(20):
        gate = Gate(
            [Limit("4000/day", by="user"), Limit("900/day", by="org"), Limit("2000/day", by="all")],
            clock=clock,
        )

        def hammer(thread: int, gate: Gate = gate) -> int:
            user = {"user": f"u{thread}", "org": "o", "all": "a"}
            return sum(gate.check(user).allowed for _ in range(300))

        with ThreadPoolExecutor(8) as pool:
            admitted = list(pool.map(hammer, range(8)))
        assert sum(admitted) == 900
        assert left(gate, {"user": None, "org": "o", "all": "a"})["all/day"] == 1_100


FORKED = """
import os, threading
from sluicegate import Gate, Limit
gate = Gate([Limit("4000000000/day", by=by, algorithm="segmented_window") for by in "abc"])
keys = dict.fromkeys("abc", "k")
stop = False
def hammer():
    while not stop:
        gate.check(keys)
threads = [threading.Thread(target=hammer) for _ in range(4)]
for thread in threads: thread.start()
for _ in range(30):
    child = os.fork()
    if not child:
        left = {each.remaining for each in gate.peek(keys).limits.values()}
        assert gate.check(keys)
        os._exit(0 if len(left) == 1 else 3)
    assert os.waitpid(child, 0)[1] == 0
stop = True
for thread in threads: thread.join()
"""


def test_a_forked_child_sees_no_half_decision() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], timeout=120)
    assert done.returncode == 0
