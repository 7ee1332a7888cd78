"""A gate against one limiter a limit: it admits when all of them would, and spends from all or from none."""

from __future__ import annotations

from typing import Any

from sluicegate import (
    Decision,
    FixedWindow,
    Gate,
    GateDecision,
    Limit,
    ManualClock,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

START = 1_800_000_000.0
KINDS = {
    "sliding_window": SlidingWindowRateLimiter,
    "segmented_window": SegmentedWindow,
    "sliding_counter": SlidingWindowCounter,
    "fixed_window": FixedWindow,
    "token_bucket": TokenBucket,
}
TICK = 1e-6


class Model:
    """Single limiters, asked one after the other; each has proved itself against a model of its own."""

    def __init__(self, limits: list[dict[str, Any]], clock: ManualClock) -> None:
        self.limits = limits
        self.singles = [KINDS[each["kind"]](each["quota"], clock=clock) for each in limits]

    def asked(
        self, keys: dict[str, str | None], cost: dict[str, int]
    ) -> dict[int, tuple[str, int]]:
        asked = {}
        for place, each in enumerate(self.limits):
            key, units = keys[each["by"]], cost[each["quota"].unit]
            if key is not None and units > 0:
                asked[place] = key, units
        return asked

    def decide(self, asked: dict[int, tuple[str, int]], spends: bool) -> dict[int, Decision | None]:
        looks = {place: self.look(place, *call) for place, call in asked.items()}
        enforced = [look for place, look in looks.items() if not self.limits[place]["shadow"]]
        if spends and all(look is not None and look.allowed for look in enforced):
            for place, (key, units) in asked.items():
                look = looks[place]
                if look is not None and look.allowed:
                    looks[place] = self.singles[place].check(key, units)
        return looks

    def look(self, place: int, key: str, units: int) -> Decision | None:
        single = self.singles[place]
        return None if units > single.limit else single.peek(key, units)


def fits(model: Model, asked: dict[int, tuple[str, int]]) -> bool:
    """Whether no limit that is in force has to be asked for more than it could ever admit."""
    return all(
        units <= model.singles[place].limit
        for place, (_, units) in asked.items()
        if not model.limits[place]["shadow"]
    )


def gate_of(given_limits: list[dict[str, Any]], clock: ManualClock) -> Gate:
    return Gate(
        [
            Limit(
                each["quota"],
                by=each["by"],
                algorithm=each["kind"],
                name=f"l{place}",
                shadow=each["shadow"],
            )
            for place, each in enumerate(given_limits)
        ],
        clock=clock,
    )


def follows(
    gate: Any, clock: ManualClock, given_limits: list[dict[str, Any]], trace: list[Any]
) -> None:
    """Whether a gate does what its limits would do one by one."""
    model = Model(given_limits, clock)
    used = {each["by"] for each in given_limits}
    units = {each["quota"].unit for each in given_limits}
    spent: list[tuple[dict[str, str | None], GateDecision, dict[int, Any]]] = []
    for verb, user, org, requests, tokens, ticks in trace:
        both = {"user": user, "org": org}
        keys = {by: key for by, key in both.items() if by in used}
        full = {"requests": requests, "tokens": tokens}
        cost = {unit: full[unit] for unit in units}
        if not any(cost.values()):
            continue
        if verb == "wait a while":
            clock.advance(ticks * TICK)
        elif verb == "refund":
            if spent:
                keys, decision, singles = spent.pop(tokens % len(spent))
                if any(each is not None and each.allowed for each in singles.values()):
                    gate.refund(keys, decision)
                    for place, single in singles.items():
                        key = keys[given_limits[place]["by"]]
                        if single is not None and single.allowed:
                            model.singles[place].refund(key, single)
        elif verb == "reset":
            gate.reset(keys)
            for place, each in enumerate(given_limits):
                if keys[each["by"]] is not None:
                    model.singles[place].reset(keys[each["by"]])
        else:
            asked = model.asked(both, full)
            if not fits(model, asked):
                continue
            expected = model.decide(asked, spends=verb == "check")
            told = gate.check(keys, cost) if verb == "check" else gate.peek(keys, cost)
            compare(told, expected, given_limits)
            if verb == "check" and told.allowed and expected:
                spent.append((keys, told, expected))
            if verb == "retry" and not told.allowed:
                clock.advance(told.retry_after - TICK)
                assert not gate.peek(keys, cost), "a tick before"
                clock.advance(TICK)
                assert gate.peek(keys, cost), "at it"


def compare(
    told: GateDecision, expected: dict[int, Decision | None], limits: list[dict[str, Any]]
) -> None:
    enforced = {
        f"l{place}": decision
        for place, decision in expected.items()
        if decision is not None and not limits[place]["shadow"]
    }
    refusing = {name: each for name, each in enforced.items() if not each.allowed}
    assert told.allowed == (not refusing)
    assert set(told.refused_by) == set(refusing)
    assert set(told.limits) == {f"l{place}" for place in expected}
    for place, decision in expected.items():
        if decision is None:  # one that only watches is asked for more than it ever has
            assert not told.limits[f"l{place}"].allowed
        else:
            assert told.limits[f"l{place}"] == decision
    if refusing:
        longest = max(each.retry_after for each in refusing.values())
        assert told.name in refusing
        assert told.retry_after == refusing[told.name].retry_after == longest
    elif enforced:
        assert told.name is not None
        least = min(each.remaining / each.limit for each in enforced.values())
        decides = enforced[told.name]
        assert decides.remaining / decides.limit == least
        assert (told.remaining, told.limit) == (decides.remaining, decides.limit)
    else:
        assert told.name is None
        assert told.allowed
