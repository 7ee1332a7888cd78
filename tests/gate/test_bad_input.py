"""What a gate cannot be made of or asked, each with the argument, the value, and what would be right."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from sluicegate import Gate, Limit, ManualClock

KEYS = {"user": "u1", "org": "acme", "model": "m"}
TOKENS = {"tokens": 1}


def gate(**options: Any) -> Gate:
    return Gate(
        [
            Limit("5/second; 10000/day", by="user", **options),
            Limit("1000000/day", by="org"),
            Limit("40000 tokens/minute", by="model"),
        ],
        clock=ManualClock(),
    )


@pytest.mark.parametrize(
    ("make", "error", "parts"),
    [
        (lambda: Gate("5/second; 5/second"), ValueError, ["limits", "'key/second'", "name="]),
        (lambda: Gate([]), ValueError, ["limits", "at least one", "'5/second"]),
        (lambda: Gate(5), TypeError, ["limits", "got 5"]),  # type: ignore[arg-type]
        (lambda: Gate([5]), TypeError, ["limits[0]", "got int 5"]),  # type: ignore[list-item]
        (lambda: Gate([Limit("9/s")] * 2), ValueError, ["same Limit twice", "Limit('9/second')"]),
        (lambda: Gate("9/s", name=5), TypeError, ["name", "int 5"]),  # type: ignore[arg-type]
        (lambda: Gate("9/s", name=""), ValueError, ["name", "''"]),
        (lambda: Gate("9/s", max_keys=0), ValueError, ["max_keys", "got 0"]),
        (lambda: Gate("9/s", overflow="x"), ValueError, ["overflow", "'x'"]),  # type: ignore[arg-type]
        (lambda: Gate("9/s", clock=5), TypeError, ["clock", "5"]),  # type: ignore[arg-type]
        (lambda: Gate("nine/s"), ValueError, ["'nine/s'", "5/second"]),
        (lambda: Limit("unlimited"), ValueError, ["'unlimited'", "'5/second; 10000/day'"]),
        (lambda: Limit(5), TypeError, ["quota", "int 5"]),  # type: ignore[arg-type]
        (lambda: Limit("9/s", by=5), TypeError, ["by", "int 5"]),  # type: ignore[arg-type]
        (lambda: Limit("9/s", by="ü"), ValueError, ["by", "'ü'", "ASCII"]),
        (lambda: Limit("9/s", algorithm="x"), ValueError, ["algorithm", "'x'", "sliding_window"]),
        (lambda: Limit("9/s burst 5", algorithm="fixed_window"), ValueError, ["burst"]),
        (lambda: Limit("9/day in UTC", algorithm="token_bucket"), ValueError, ["calendar"]),
        (lambda: Limit("5 concurrent", algorithm="fixed_window"), ValueError, ["permits"]),
        (lambda: Limit("9/s", shadow=1), TypeError, ["shadow", "1"]),  # type: ignore[arg-type]
        (lambda: Limit("9/s", optional="x"), TypeError, ["optional", "'x'"]),  # type: ignore[arg-type]
        (lambda: Limit("9/s", quota_for="x"), TypeError, ["quota_for", "'x'"]),  # type: ignore[arg-type]
        (lambda: Limit("9/s", lease_seconds=0), ValueError, ["lease_seconds", "0.1", "got 0"]),
    ],
)
def test_what_a_gate_cannot_be_made_of(
    make: Callable[[], Any], error: type[Exception], parts: list[str]
) -> None:
    with pytest.raises(error) as told:
        make()
    assert [part for part in parts if part not in str(told.value)] == []


CALLS: list[tuple[Any, Any, type[Exception], list[str]]] = [
    (KEYS, 1, ValueError, ["cost", "tokens", "{'tokens': 100}", "got 1"]),
    ("u1", TOKENS, TypeError, ["keys", "{'user': '...'", "one str"]),
    (5, TOKENS, TypeError, ["keys", "int 5"]),
    ({"user": "u"}, TOKENS, ValueError, ["'org'", "org/day", "'org': None"]),
    ({**KEYS, "usr": "u"}, TOKENS, ValueError, ["'user', 'org', 'model'", "'usr'"]),
    ({**KEYS, 5: "u"}, TOKENS, ValueError, ["got 5"]),
    ({**KEYS, "user": 5}, TOKENS, TypeError, ["keys['user']", "int 5"]),
    (KEYS, {"tokens": 90_000}, ValueError, ["model/tokens/minute", "40000", "90000", "never"]),
    (KEYS, {"tokens": 1, "requests": 6}, ValueError, ["user/second", "5 requests", "got 6"]),
    (KEYS, {"tokns": 1}, ValueError, ["'tokns'", "'tokens': 1"]),
    (KEYS, {"tokens": 0, "requests": 0}, ValueError, ["cost", "at least 1"]),
    (KEYS, {"tokens": -1}, ValueError, ["cost['tokens']", "-1"]),
    (KEYS, {"tokens": True}, TypeError, ["cost['tokens']", "bool True"]),
    (KEYS, {"tokens": 2**40}, ValueError, ["cost['tokens']", "1099511627776"]),
    (KEYS, "x", TypeError, ["cost", "'x'"]),
    (KEYS, None, TypeError, ["cost", "None"]),
    (KEYS, 0, ValueError, ["cost", "got 0"]),
]


@pytest.mark.parametrize("verb", ["check", "peek", "reserve", "check_sync", "wait", "wait_sync"])
@pytest.mark.parametrize(("keys", "cost", "error", "parts"), CALLS)
def test_what_a_gate_cannot_be_asked(
    verb: str, keys: Any, cost: Any, error: type[Exception], parts: list[str]
) -> None:
    asked = gate()

    async def call() -> None:
        answer = getattr(asked, verb)(keys, cost)
        if verb == "wait":
            await answer

    with pytest.raises(error) as told:
        asyncio.run(call())
    assert [part for part in parts if part not in str(told.value)] == []
    counts = asked.statistics()
    assert (counts.admitted, counts.refused) == (0, 0)
    assert all(not each.keys for each in counts.limits.values()), "nothing was spent"


@pytest.mark.parametrize(
    ("answer", "error", "parts"),
    [
        (
            "5/hour",
            ValueError,
            ["quota_for", "user/second", "'5/second' and '10000/day'", "5/hour"],
        ),
        ("5 tokens/second", ValueError, ["5 tokens/second"]),
        ("5/second; 6/second", ValueError, ["one quota", "user/second"]),
        ("5 concurrent", ValueError, ["5 concurrent"]),
        ("rubbish", ValueError, ["rubbish"]),
        (5, TypeError, ["quota_for", "int 5"]),
    ],
)
def test_what_a_plan_cannot_be(answer: Any, error: type[Exception], parts: list[str]) -> None:
    asked = gate(quota_for=lambda _: answer)
    with pytest.raises(error) as told:
        asked.check(KEYS, TOKENS)
    assert [part for part in parts if part not in str(told.value)] == []


def test_a_plan_is_a_plain_function_and_its_errors_are_raised() -> None:
    async def plan(_: str) -> str:
        return "5/second"

    with pytest.raises(TypeError, match="plain function"):
        gate(quota_for=plan).check(KEYS, TOKENS)
    plans: dict[str, str] = {}
    with pytest.raises(KeyError):
        gate(quota_for=plans.__getitem__).check(KEYS, TOKENS)
    with pytest.raises(ValueError, match="user/second"):
        gate(quota_for=lambda _: "2/second").check(KEYS, {"tokens": 1, "requests": 3})


def test_at_most_32_limits_take_part_in_one_decision() -> None:
    many = Gate([Limit("9/s", by=f"k{place}", optional=True) for place in range(40)])
    assert many.check({f"k{place}": "x" for place in range(32)})
    with pytest.raises(ValueError, match=r"at most 32 limits.*got 33"):
        many.check({f"k{place}": "x" for place in range(33)})


def test_permits_are_reserved_and_not_checked() -> None:
    held = Gate([Limit("2 concurrent", by="model"), Limit("9/s", by="user")])
    keys = {"model": "m", "user": "u"}
    for verb in ("check", "check_sync", "wait_sync"):
        with pytest.raises(TypeError, match=r"model/concurrent.*gate\.reserve"):
            getattr(held, verb)(keys)
    with pytest.raises(TypeError, match=r"gate\.reserve"):
        asyncio.run(held.wait(keys))
    assert held.peek(keys).limits["model/concurrent"].remaining == 2


def test_a_limit_that_can_never_refuse_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "sluicegate"):
        idle = Gate("5/second; 3/minute; 100/day")
        idle.check("k")
    assert len(caplog.records) == 1
    assert "'key/second'" in caplog.text
    assert "'3/minute'" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "sluicegate"):
        Gate("5/second; 5/minute")
        Gate([Limit("5/second", by="a"), Limit("3/minute", by="b")])
        Gate("5/second; 3 tokens/minute")
    assert not caplog.records
