"""A gate in a zone: its verbs, reservations and waiting, as in memory."""

from __future__ import annotations

import asyncio
import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import sluicegate
from sluicegate import GateDecision, Limit, ManualClock, Quota
from sluicegate.gate.is_gate import is_gate
from sluicegate.shared import FixedWindow, Gate
from sluicegate.testing import limits_off

KEYS = {"user": "u", "model": "m"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"shared://{tmp_path}/limits.zone?size=1m"


def gate_of(store: str, clock: ManualClock | None, tokens: str = "1000 tokens/minute") -> Gate:
    return Gate(store, [Limit("10/minute", by="user"), Limit(tokens, by="model")], clock=clock)


def tokens(gate: Gate) -> int:
    return gate.peek(KEYS, {"tokens": 1}).limits["model/tokens/minute"].remaining


def users(gate: Gate) -> int:
    return gate.peek(KEYS, {"tokens": 1}).limits["user/minute"].remaining


def test_all_admit_and_spend_or_nothing_is_spent(store: str, clock: ManualClock) -> None:
    gate = gate_of(store, clock)
    decision = gate.check(KEYS, {"tokens": 900})
    assert decision
    assert (decision.name, decision.store) == ("model/tokens/minute", "shared")
    assert (decision.remaining, decision.limits["user/minute"].remaining) == (100, 9)
    refused = gate.check(KEYS, {"tokens": 101})
    assert refused.refused_by == ("model/tokens/minute",)
    assert refused.limits["user/minute"].allowed
    assert (tokens(gate), users(gate)) == (100, 9)
    clock.advance(refused.retry_after - 0.000001)
    assert not gate.peek(KEYS, {"tokens": 101})
    clock.advance(0.000001)
    assert gate.check(KEYS, {"tokens": 101})
    statistics = gate.statistics()
    assert (statistics.admitted, statistics.refused) == (2, 1)
    assert [each.refused for each in statistics.limits.values()] == [0, 1]
    assert gate._lost_races() == 0


def test_decisions_are_receipts(store: str, clock: ManualClock) -> None:
    gate = gate_of(store, clock)
    decision = gate.check(KEYS, {"tokens": 900})
    with pytest.raises(ValueError, match="of other keys"):
        gate.refund({"user": "other", "model": "m"}, decision)
    with pytest.raises(ValueError, match="it is a copy"):
        gate.refund(KEYS, copy.copy(decision))
    gate.refund(KEYS, decision)
    assert (tokens(gate), users(gate)) == (1_000, 10)
    with pytest.raises(ValueError, match="given back before"):
        gate.refund(KEYS, decision)
    with pytest.raises(TypeError, match="decision must be the GateDecision"):
        gate.refund(KEYS, 1)  # type: ignore[arg-type]


def test_keys_are_forgotten(store: str, clock: ManualClock) -> None:
    gate = gate_of(store, clock)
    gate.check(KEYS, {"tokens": 900})
    gate.reset({"user": "u"})
    assert (tokens(gate), users(gate)) == (100, 10)
    gate.check(KEYS, {"tokens": 1})
    gate.clear()
    assert (tokens(gate), users(gate)) == (1_000, 10)


def test_gates_of_one_name_share_what_was_spent_and_others_do_not(store: str) -> None:
    gate, same = gate_of(store, None), gate_of(store, None)
    gate.check(KEYS, {"tokens": 900})
    assert tokens(same) == 100
    other = Gate(store, gate_limits(), name="other")
    assert tokens(other) == 1_000
    assert tokens(Gate(store, gate_limits(), prefix="other")) == 1_000
    assert tokens(pickle.loads(pickle.dumps(gate))) == 100
    assert copy.copy(gate) is gate is copy.deepcopy(gate)


def gate_limits() -> list[Limit]:
    return [Limit("10/minute", by="user"), Limit("1000 tokens/minute", by="model")]


def test_a_single_limiter_of_the_limits_name_shares_its_state(
    store: str, clock: ManualClock
) -> None:
    limits = [Limit("10/minute", by="user", algorithm="fixed_window")]
    gate = Gate(store, limits, name="chat", clock=clock)
    single = FixedWindow(store, "10/minute", name="sluicegate/chat/user/minute", clock=clock)
    single.check("u", 4)
    assert gate.check("u", 3).remaining == 3


def test_changed_limits_keep_what_was_spent(
    store: str, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    gate = gate_of(store, clock)
    decision = gate.check(KEYS, {"tokens": 900})
    gate.set_limits([Limit("5/minute", by="user"), Limit("901 tokens/minute", by="model")])
    assert (tokens(gate), users(gate)) == (1, 4)
    with pytest.raises(ValueError, match="at least one"):
        gate.set_limits([])
    assert (tokens(gate), users(gate)) == (1, 4)
    gate.refund(KEYS, decision)
    assert (tokens(gate), users(gate)) == (901, 5)
    gate.check(KEYS, {"tokens": 1})
    assert not caplog.records
    changed = Limit("901 tokens/minute", by="model", algorithm="fixed_window")
    gate.set_limits([Limit("5/minute", by="user"), changed])
    assert "begins afresh" in caplog.text
    assert (tokens(gate), users(gate)) == (901, 4)
    assert gate.statistics().admitted == 2
    assert [part.name for part in gate.parts] == ["user/minute", "model/tokens/minute"]


def test_quotas_by_key_limits_that_only_watch_and_keys_that_are_left_out(
    store: str, clock: ManualClock
) -> None:
    plans = {"big": "50/minute", "none": "unlimited"}
    gate = Gate(
        store,
        [
            Limit("10/minute", by="user", quota_for=plans.get),
            Limit("2/minute", by="org", shadow=True, optional=True),
        ],
        clock=clock,
    )
    assert [gate.check({"user": "big"}).limit for _ in range(20)] == [50] * 20
    assert gate.check({"user": "none"}).limits == {}
    for _ in range(5):
        assert gate.check({"user": "u", "org": "o"}).name == "user/minute"
    watched = gate.statistics().limits["org/minute"]
    assert (watched.admitted, watched.would_have_refused) == (2, 3)
    plans["big"] = "21/minute"
    assert gate.check({"user": "big", "org": None}).remaining == 0
    assert not gate.check({"user": "big"})
    plans["big"] = "21/hour"
    with pytest.raises(ValueError, match="quota_for"):
        gate.check({"user": "big"})


def test_it_is_a_gate_with_the_names_that_block(store: str) -> None:
    gate = Gate(store, "5/second; 100/minute", name="g")
    assert is_gate(gate)
    assert repr(gate) == "<Gate 'g' in a zone key/second: '5/second', key/minute: '100/minute'>"
    decision = gate.check_sync("k")
    assert isinstance(decision, GateDecision)
    gate.refund_sync("k", decision)
    gate.reset_sync("k")
    assert gate.peek_sync("k").remaining == 5
    assert gate.ping_sync() == "shared"
    gate.close()
    with limits_off():
        assert all(gate.check("k") for _ in range(20))
    assert gate.peek("k").remaining == 5


def test_threads_admit_exactly_the_smallest(store: str) -> None:
    gate = Gate(store, [Limit("900/week", by="user"), Limit("500/week", by="org")])
    keys = {"user": "u", "org": "o"}
    with ThreadPoolExecutor(8) as pool:
        admitted = sum(
            pool.map(lambda _: sum(map(bool, (gate.check(keys) for _ in range(100)))), range(8))
        )
    assert admitted == 500
    assert gate.peek(keys).limits["user/week"].remaining == 400


def test_the_middleware_counts_tiers_of_several_windows_in_a_zone(store: str) -> None:
    from sluicegate.asgi import RateLimitMiddleware

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def made() -> RateLimitMiddleware:
        return RateLimitMiddleware(app, tiers={"default": "2/second; 3/hour"}, store=store)

    async def status(middleware: RateLimitMiddleware) -> int:
        told: list[Any] = []

        async def send(message: Any) -> None:
            told.append(message)

        scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [],
            "client": ("1.2.3.4", 1),
        }
        await middleware(scope, None, send)  # type: ignore[arg-type]
        return int(told[0]["status"])

    async def all_of_them() -> list[int]:
        one, other = made(), made()
        return [await status(each) for each in (one, other, one, other)]

    assert asyncio.run(all_of_them()) == [200, 200, 429, 429]


def test_the_same_answers_as_in_memory(store: str, clock: ManualClock) -> None:
    limits = [
        Limit("5/minute", by="user", algorithm="fixed_window"),
        Limit("9/minute", by="org", algorithm="sliding_counter"),
        Limit("1/second burst 4", by="user", name="burst"),
    ]
    here, there = Gate(store, limits, clock=clock), sluicegate.Gate(limits, clock=clock)
    for step in range(300):
        clock.advance((step * 7) % 11 / 3)
        keys = {"user": f"u{step % 3}", "org": f"o{step % 2}"}
        cost = 1 + step % 3
        for told in (
            (here.check(keys, cost), there.check(keys, cost)),
            (here.peek(keys), there.peek(keys)),
        ):
            one, other = told
            assert (one.allowed, one.name, one.refused_by) == (
                other.allowed,
                other.name,
                other.refused_by,
            )
            for name, decision in one.limits.items():
                same = other.limits[name]
                assert (decision.allowed, decision.remaining, decision.reset_at) == (
                    same.allowed,
                    same.remaining,
                    same.reset_at,
                )
                assert decision.retry_after == same.retry_after
    assert Quota("5/minute") == here.parts[0].quota
