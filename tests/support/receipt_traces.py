"""Random traces of checks, refunds by receipt and resets: in Redis, in memory, and by a slow ledger."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from redis_servers import Server
from sluicegate import Decision, ManualClock, TokenBucketConfig, limiters, redis

KINDS = (
    "FixedWindow",
    "SlidingWindowRateLimiter",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "TokenBucket",
)
KEYS = "abc"


@dataclass
class Ledger:
    """All that was spent and has not come back, unit by unit: tick, number of the call."""

    kind: str
    limit: int
    window: int
    units: dict[str, list[tuple[int, int]]] = field(
        default_factory=lambda: {key: [] for key in KEYS}
    )

    def counted(self, key: str, now: int) -> int:
        ticks = [tick for tick, _ in self.units[key]]
        if self.kind == "SlidingWindowRateLimiter":
            return sum(tick + self.window > now for tick in ticks)
        if self.kind == "SegmentedWindow":
            part = -(-self.window // 60)
            return sum(tick - tick % part + part - 1 + self.window > now for tick in ticks)
        start = now - now % self.window
        current = sum(tick >= start for tick in ticks)
        if self.kind == "FixedWindow":
            return current
        before = sum(start - self.window <= tick < start for tick in ticks)
        return -(-before * (start + self.window - now) // self.window) + current

    def remaining(self, key: str, now: int) -> int:
        return max(self.limit - self.counted(key, now), 0)

    def spend(self, key: str, now: int, call: int, cost: int) -> None:
        self.units[key] += [(now, call)] * cost

    def give_back(self, key: str, now: int, call: int, units: int) -> None:
        for unit in [unit for unit in self.units[key] if unit[1] == call][:units]:
            self.units[key].remove(unit)


@dataclass
class Bucket:
    """A bucket by its rule, in exact fractions of tokens; each receipt has a time at which it is full."""

    limit: int
    rate: Fraction  # tokens a tick
    full_at: dict[str, Fraction] = field(default_factory=lambda: {key: Fraction(0) for key in KEYS})
    full_of: dict[int, Fraction] = field(default_factory=dict)
    call_of: dict[str, list[int]] = field(default_factory=lambda: {key: [] for key in KEYS})

    def missing(self, key: str, now: int) -> Fraction:
        return max((self.full_at[key] - now) * self.rate, Fraction(0))

    def remaining(self, key: str, now: int) -> int:
        return int(self.limit - self.missing(key, now))

    def spend(self, key: str, now: int, call: int, cost: int) -> None:
        self.full_at[key] = max(self.full_at[key], Fraction(now)) + cost / self.rate
        self.full_of[call] = self.full_at[key]
        self.call_of[key].append(call)

    def give_back(self, key: str, now: int, call: int, units: int) -> None:
        if call in self.call_of[key]:
            still = max((self.full_of[call] - now) * self.rate, Fraction(0))
            self._back(key, min(Fraction(units), still))

    def _back(self, key: str, tokens: Fraction) -> None:
        self.full_at[key] -= tokens / self.rate
        for call in self.call_of[key]:
            self.full_of[call] -= tokens / self.rate

    def reset(self, key: str) -> None:
        self.full_at[key], self.call_of[key] = Fraction(0), []


@dataclass
class Held:
    """A receipt of each side, and what of it is left."""

    key: str
    there: Decision
    here: Decision
    call: int
    left: int


class Trio:
    """A limiter in Redis, one in memory and a model, of one quota at one time.

    ``plain``: with refunds that are no receipt's as well. No model tells then whose a unit is.
    """

    def __init__(self, kind: str, server: Server, chance: random.Random, plain: bool) -> None:
        limit = chance.choice([1, 2, 3, 7, 20])
        start = chance.randint(1_700_000_000_000_000, 1_900_000_000_000_000)
        self.chance, self.limit, self.now = chance, limit, start
        self.clock, self.server = ManualClock(start / 1e6), server
        server.moved.micros = start
        self.model: Any
        if kind == "TokenBucket":
            per_second = chance.choice([Fraction(10), Fraction(7), Fraction(1, 3), Fraction(1000)])
            quota: tuple[Any, ...] = (TokenBucketConfig(limit, float(per_second)),)
            self.model = Bucket(limit, per_second / 10**6)
            self.window = round(limit / per_second * 10**6)
        else:
            self.window = chance.choice([7, 60, 1000, 1_000_000, 7_300_000, 60_000_001])
            quota = (limit, self.window / 1e6)
            self.model = Ledger(kind, limit, self.window)
        options: dict[str, Any] = {"timeout": 30, "on_error": "raise", "remember": False}
        self.there = getattr(redis, kind)(server.url, *quota, prefix=f"{start}", **options)
        self.here = getattr(limiters, kind)(*quota, clock=self.clock)
        self.held: list[Held] = []
        self.plain = plain

    def gap(self) -> int:
        whole, one = self.window, max(self.window // self.limit, 1)
        edges = [1, one - 1, one, one + 1, whole // 60, whole - 1, whole, whole + 1, 2 * whole]
        return self.chance.choice(
            [0, 0, 0, self.chance.choice(edges), self.chance.randint(0, whole)]
        )

    def step(self, number: int) -> str | None:
        """One step of all three, and where they part."""
        gap, chance = self.gap(), self.chance
        self.now += gap
        self.clock.advance(gap / 1e6)
        self.server.moved.micros += gap
        key, what = chance.choice(KEYS), chance.random()
        if what < 0.5:
            self.check(key, number)
        elif what < 0.6 and self.plain:
            cost = chance.randint(1, self.limit)
            self.there.refund_sync(key, cost)
            self.here.refund(key, cost)
        elif what < 0.97:
            self.refund()
        else:
            self.reset(key)
        for each in KEYS if what >= 0.5 else key:
            there, here = self.there.peek_sync(each), self.here.peek(each)
            told = [(one.remaining, one.reset_after, one.retry_after) for one in (there, here)]
            model = here.remaining if self.plain else self.model.remaining(each, self.now)
            if told[0] != told[1] or here.remaining != model:
                return f"step {number}: {each} has {told[0]}, {told[1]} in memory, {model} by the model"
        return None

    def check(self, key: str, number: int) -> None:
        cost = self.chance.choice([1, 1, self.limit, self.chance.randint(1, self.limit)])
        there, here = self.there.check_sync(key, cost), self.here.check(key, cost)
        assert bool(there) == bool(here)
        if here:
            self.model.spend(key, self.now, number, cost)
            self.held.append(Held(key, there, here, number, cost))
            del self.held[:-12]

    def refund(self) -> None:
        if not self.held:
            return
        chance = self.chance
        one = self.held[chance.choice([-1, -1, chance.randrange(len(self.held))])]
        if one.left == 0:
            for limiter, decision in ((self.there, one.there), (self.here, one.here)):
                try:
                    limiter.refund_sync(one.key, decision)
                except ValueError as error:
                    assert "was given back before" in str(error)
                else:
                    raise AssertionError("it came back twice")
            return
        units = chance.choice([None, None, chance.randint(1, one.left)])
        self.there.refund_sync(one.key, one.there, units)
        self.here.refund_sync(one.key, one.here, units)
        self.model.give_back(one.key, self.now, one.call, units or one.left)
        one.left -= units or one.left

    def reset(self, key: str) -> None:
        self.there.reset_sync(key)
        self.here.reset(key)
        if isinstance(self.model, Bucket):
            self.model.reset(key)
        else:
            self.model.units[key] = []


def disagreement(
    kind: str, server: Server, seed: int, steps: int, plain: bool = False
) -> str | None:
    """Where the three part on the trace of that seed, if they do."""
    trio = Trio(kind, server, random.Random(seed), plain)
    try:
        for number in range(steps):
            problem = trio.step(number)
            if problem:
                return f"{kind}, seed {seed}, {trio.limit} in {trio.window}: {problem}"
    finally:
        trio.there.close()
    return None
