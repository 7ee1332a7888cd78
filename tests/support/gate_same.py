"""The same calls of a gate in memory and of one in Redis, in whose course no time counts: what differs."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from sluicegate import Gate, GateDecision, Limit, RateLimitError

ALGORITHMS = [
    "sliding_window",
    "fixed_window",
    "segmented_window",
    "sliding_counter",
    "token_bucket",
]
#: Keys that are named otherwise than they are called.
ODD = ["a", "b", None, "{x}", "", "y" * 200]


def limits_of(chance: random.Random, by: list[str]) -> list[dict[str, Any]]:
    limits: list[dict[str, Any]] = [
        {
            **planned(chance, 8, f"{chance.choice(['', ' tokens'])}/{hours} hours"),
            "by": chance.choice(by),
            "name": f"l{place}",
            "shadow": chance.random() < 0.3,
            "algorithm": chance.choice(ALGORITHMS),
        }
        for place, hours in enumerate(chance.sample(range(20, 40), chance.randint(1, 4)))
    ]
    if chance.random() < 0.4:
        permits = {**planned(chance, 3, " concurrent"), "by": by[0], "name": "permits"}
        limits.append({**permits, "shadow": chance.random() < 0.3})
    return limits


def planned(chance: random.Random, most: int, what: str) -> dict[str, Any]:
    """A quota, and perhaps what the plans of some keys have in its place."""
    quota = f"{chance.randint(1, most)}{what}"
    if chance.random() < 0.6:
        return {"quota": quota}
    plans = {"a": f"{chance.randint(1, 2 * most)}{what}", "": "unlimited", "b": None}
    return {"quota": quota, "quota_for": plans.get}


def told(call: Callable[[], Any]) -> Any:
    """What a call gives or raises."""
    try:
        return call()
    except RateLimitError:
        return "refused"
    except Exception as error:
        return type(error).__name__, str(error)


def simple(result: Any) -> Any:
    """As much of a decision as does not depend on the clock."""
    if not isinstance(result, GateDecision):
        return result
    each = {name: (one.allowed, one.remaining) for name, one in result.limits.items()}
    return result.allowed, result.name, result.refused_by, each


def counts(gate: Any) -> Any:
    counted = gate.statistics()
    each = {
        name: (one.admitted, one.refused, one.would_have_refused)
        for name, one in counted.limits.items()
    }
    return counted.admitted, counted.refused, each


class Pair:
    """The two gates, and what both have admitted and hold."""

    def __init__(self, seed: int, in_redis: Callable[[list[Limit]], Any], is_odd: bool) -> None:
        self.chance = random.Random(seed)
        self.keys = ODD if is_odd else ["a", "b", None]
        self.limits = limits_of(self.chance, ["user"] if is_odd else ["user", "org"])
        self.gates = Gate(self.made()), in_redis(self.made())
        self.receipts: list[tuple[Any, Any, Any]] = []
        self.held: list[tuple[Any, Any, dict[str, int]]] = []

    def made(self) -> list[Limit]:
        return [Limit(**each) for each in self.limits]

    @property
    def units(self) -> set[str]:
        quotas = [each["quota"] for each in self.limits]
        return {
            "concurrent" if "concurrent" in quota else "tokens" if "tokens" in quota else "requests"
            for quota in quotas
        }

    def both(self, call: Callable[[Any], Any]) -> tuple[Any, Any]:
        one, other = (told(lambda gate=gate: call(gate)) for gate in self.gates)
        return one, other

    def step(self) -> tuple[Any, Any]:
        """One call of each: what they say."""
        chance = self.chance
        keys = {each["by"]: chance.choice(self.keys) for each in self.limits}
        cost = {unit: chance.choice([0, 1, 1, 2, 3, 4]) for unit in sorted(self.units)}
        verbs = ["check", "check", "peek", "refund", "reset", "reserve", "end"]
        verb = chance.choice(verbs if chance.random() < 0.95 else ["clear"])
        if verb == "check" and "concurrent" in cost:
            verb = "reserve"
        if verb in ("check", "peek"):
            one, other = self.both(lambda gate: getattr(gate, f"{verb}_sync")(keys, cost))
            if verb == "check" and isinstance(one, GateDecision) and one:
                self.receipts.append((keys, one, other))
            return simple(one), simple(other)
        if verb == "refund" and self.receipts:
            keys, *receipts = self.receipts.pop(chance.randrange(len(self.receipts)))
            calls = zip(self.gates, receipts, strict=True)
            one, other = (
                told(lambda gate=gate, receipt=receipt: gate.refund_sync(keys, receipt))
                for gate, receipt in calls
            )
            return one, other
        if verb == "reserve":
            one, other = self.both(lambda gate: gate.reserve(keys, cost).__enter__())
            if hasattr(one, "decision") and hasattr(other, "decision"):
                self.held.append((one, other, cost))
                return simple(one.decision), simple(other.decision)
            return one, other
        if verb == "end" and self.held:
            *held, cost = self.held.pop(chance.randrange(len(self.held)))
            units = [unit for unit, units in cost.items() if units and unit != "concurrent"]
            used = {unit: chance.randint(0, 8) for unit in units}
            way = chance.choice(["settle", "cancel", "neither"])
            one, other = (told(lambda each=each: ended(each, way, used)) for each in held)
            return one, other
        if verb == "clear":
            return self.both(lambda gate: gate.clear_sync())
        given = {by: key for by, key in keys.items() if key is not None}
        return self.both(lambda gate: gate.reset_sync({**dict.fromkeys(keys), **given}))


def ended(reservation: Any, way: str, used: dict[str, int]) -> None:
    if way == "settle" and used:
        reservation.settle(**used)
    if way == "cancel":
        reservation.cancel()
    reservation.__exit__(None, None, None)


def difference(
    seed: int, in_redis: Callable[[list[Limit]], Any], *, is_odd: bool = False, steps: int = 80
) -> Any:
    """Where they part, or ``None``."""
    pair = Pair(seed, in_redis, is_odd)
    with ExitStack() as owned:
        owned.callback(pair.gates[1].close)
        owned.callback(
            lambda: [held.__exit__(None, None, None) for *both, _ in pair.held for held in both]
        )
        for step in range(steps):
            one, other = pair.step()
            if one != other:
                return seed, step, pair.limits, one, other
        one, other = map(counts, pair.gates)
        return None if one == other else (seed, pair.limits, one, other)
