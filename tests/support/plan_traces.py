"""Random traces of receipts whose keys change their quota: in Redis, in memory, and by slow models."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from plan_models import SECOND, Bucket, Model, Rate, Units, Window
from redis_servers import Server
from sluicegate import Decision, ManualClock, limiters, redis

KINDS = (
    "FixedWindow",
    "SlidingWindowRateLimiter",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "TokenBucket",
)
KEYS = "abc"


@dataclass
class Held:
    """A receipt of each side, and what of it is left."""

    key: str
    there: Decision
    here: Decision
    known: Any
    life: int
    left: int


class Sides:
    """A limiter in Redis and one in memory, of the first of some plans, and a model of each key."""

    def __init__(self, kind: str, server: Server, chance: random.Random) -> None:
        self.chance, self.server = chance, server
        self.now = chance.randint(1_700_000_000 * SECOND, 1_900_000_000 * SECOND)
        self.clock = ManualClock(self.now / SECOND)
        server.moved.micros = self.now
        limits = [chance.choice([1, 2, 3, 7, 20]) for _ in range(3)]
        self.plans: list[Any]
        if kind == "TokenBucket":
            rates = [(10, SECOND), (7, SECOND), (1, 3 * SECOND), (1000, SECOND), (20, 2 * SECOND)]
            self.plans = [Rate(limit, *chance.choice(rates)) for limit in limits]
            self.fresh: Callable[[], Model] = lambda: Bucket(self.plans[0])
        else:
            window = chance.choice([7, 60, 1000, SECOND, 7_300_000, 60_000_001])
            self.plans = [Window(limit, window) for limit in limits]
            self.fresh = lambda: Units(kind, window)
        options: dict[str, Any] = {"timeout": 30, "on_error": "raise", "remember": False}
        own = self.plans[0].quota
        self.there = getattr(redis, kind)(server.url, own, prefix=f"{kind}{self.now}", **options)
        self.here = getattr(limiters, kind)(own, clock=self.clock)
        self.models = {key: self.fresh() for key in KEYS}
        self.lives = dict.fromkeys(KEYS, 0)
        self.held: list[Held] = []

    def gap(self) -> int:
        plan = self.chance.choice(self.plans)
        whole = plan.window if isinstance(plan, Window) else int(plan.limit / plan.a_tick)
        one = max(whole // plan.limit, 1)
        edges = [1, one - 1, one, one + 1, whole // 60, whole - 1, whole, whole + 1, 2 * whole]
        return self.chance.choice(
            [0, 0, 0, max(self.chance.choice(edges), 0), self.chance.randint(0, whole)]
        )

    def step(self) -> str | None:
        """One step of all three, and where they part."""
        gap = self.gap()
        self.now += gap
        self.clock.advance(gap / SECOND)
        self.server.moved.micros += gap
        chance = self.chance
        key, what = chance.choice(KEYS), chance.random()
        if what < 0.5:
            done = self.check(key)
        elif what < 0.58:
            done = self.refund(key)
        elif what < 0.97:
            done = self.redeem()
        else:
            done = self.reset(key)
        return self.looks(done, KEYS if what >= 0.5 else key)

    def looks(self, done: str, keys: str) -> str | None:
        plan = self.chance.choice(self.plans)
        for key in keys:
            there = self.there.peek_sync(key, quota=plan.quota)
            here = self.here.peek(key, quota=plan.quota)
            told = [(one.remaining, one.reset_after, one.retry_after) for one in (there, here)]
            model = self.models[key].remaining(self.now, plan)
            if told[0] != told[1] or here.remaining != model:
                where = f"at {self.now} {done}, then {key} by {plan}"
                return f"{where}: {told[0]}, {told[1]} in memory, {model} by the model"
        return None

    def check(self, key: str) -> str:
        plan = self.chance.choice(self.plans)
        cost = self.chance.choice([1, 1, plan.limit, self.chance.randint(1, plan.limit)])
        quota = self.chance.choice([plan.quota, str(plan.quota)])
        there = self.there.check_sync(key, cost, quota=quota)
        here = self.here.check(key, cost, quota=quota)
        fits = self.models[key].remaining(self.now, plan) >= cost
        assert bool(there) == bool(here) == fits, (key, cost, plan, there, here, fits)
        self.models[key].change(self.now, plan)
        if fits:
            known = self.models[key].spend(self.now, cost, plan)
            self.held.append(Held(key, there, here, known, self.lives[key], cost))
            del self.held[:-12]
        return f"check {key} {cost} by {plan}: {fits}"

    def redeem(self) -> str:
        if not self.held:
            return ""
        chance = self.chance
        one = self.held[chance.choice([-1, -1, chance.randrange(len(self.held))])]
        if one.left == 0:
            self.redeem_twice(one)
            return f"the receipt of {one.key} once more"
        units = chance.choice([None, None, chance.randint(1, one.left)])
        self.there.refund_sync(one.key, one.there, units)
        self.here.refund_sync(one.key, one.here, units)
        if one.life == self.lives[one.key]:
            self.models[one.key].redeem(self.now, one.known, units or one.left)
        one.left -= units or one.left
        return f"{units} of the receipt {one}"

    def redeem_twice(self, one: Held) -> None:
        for limiter, decision in ((self.there, one.there), (self.here, one.here)):
            try:
                limiter.refund_sync(one.key, decision)
            except ValueError as error:
                assert "was given back before" in str(error)
            else:
                raise AssertionError("it came back twice")

    def refund(self, key: str) -> str:
        units = self.chance.randint(1, max(plan.limit for plan in self.plans))
        units = min(units, self.plans[0].limit)
        self.there.refund_sync(key, units)
        self.here.refund(key, units)
        self.models[key].refund(self.now, units)
        return f"refund {key} {units}"

    def reset(self, key: str) -> str:
        self.there.reset_sync(key)
        self.here.reset(key)
        self.models[key] = self.fresh()
        self.lives[key] += 1
        return f"reset {key}"


def disagreement(kind: str, server: Server, seed: int, steps: int) -> str | None:
    """Where the three part on the trace of that seed, if they do."""
    sides = Sides(kind, server, random.Random(seed))
    try:
        for number in range(steps):
            problem = sides.step()
            if problem:
                return f"{kind}, seed {seed}, {sides.plans}: step {number}: {problem}"
    finally:
        sides.there.close()
    return None
