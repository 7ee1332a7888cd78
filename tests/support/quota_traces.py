"""Random traces in which one key's quota changes, in Redis by the call and in memory by `set_quota`."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import redis

from script_traces import KEY, LATEST, MAKERS, YEAR_2027, Case, without_mark
from sluicegate import ManualClock, TokenBucket

STEPS = 60
RATES = [
    *(Fraction(rate) for rate in (10, 7, 64, 100, 999_999_999_989)),
    *(Fraction(rate, 3) for rate in (1, 5)),
    *(Fraction(1, rate) for rate in (10**5, 10**9)),
]


@dataclass
class Trace:
    """A key's quotas as a script takes them, and steps: (gap in ticks, op, cost, quota)."""

    kind: str
    quotas: list[tuple[int, ...]]
    start: int
    steps: list[tuple[int, str, int, int]]

    def limit(self, quota: int) -> int:
        first, *rest = self.quotas[quota]
        return first // rest[0] if self.kind == "token_bucket" else first

    def arguments(self, quota: int) -> tuple[int, float]:
        """A quota as the class in memory takes it."""
        if self.kind == "token_bucket":
            _, token, tick = self.quotas[quota]
            return self.limit(quota), float(Fraction(tick, token) * 10**6)
        limit, window = self.quotas[quota]
        return limit, window / 1e6


def _bucket(chance: random.Random) -> tuple[int, ...]:
    while True:
        tick, token = (chance.choice(RATES) / 10**6).as_integer_ratio()
        capacity = chance.choice([1, 2, 5, 12, 100, 1000, 10**6, 2**32 - 1]) * token
        if capacity <= 2**52 and capacity <= 10**15 * tick:
            return capacity, token, tick


def _windows(kind: str, chance: random.Random) -> list[tuple[int, ...]]:
    large = 3000 if kind == "sliding_log" else 2**32 - 1
    window = chance.choice([1, 7, 50, 1001, 60 * 10**6, 2**32 + 1, 10**15])
    return [(chance.choice([1, 2, 3, 7, 100, large]), window) for _ in range(3)]


def _steps(trace: Trace, chance: random.Random) -> Iterator[tuple[int, str, int, int]]:
    """Peeks and refunds are of the quota that decided last, which in memory is in force."""
    now, last = trace.start, 0
    for _ in range(STEPS):
        spans = [_full(trace, last), max(_full(trace, last) // trace.limit(last), 1)]
        span = chance.choice(spans)
        gap = chance.choice([0, 0, 0, 1, span - 1, span, span + 1, chance.randint(0, span)])
        gap = gap if now + gap <= LATEST else 0
        now += gap
        op = chance.choice("cccccpr")
        if op == "c" and chance.random() < 0.5:
            last = chance.randrange(3)
        cost = chance.choice([1, 1, trace.limit(last), chance.randint(1, trace.limit(last))])
        yield gap, op, cost, last


def _full(trace: Trace, quota: int) -> int:
    """Ticks until all of it is back."""
    first, *rest = trace.quotas[quota]
    return -(-first // rest[1]) if trace.kind == "token_bucket" else rest[0]


def traces(kind: str, seed: int, count: int) -> Iterator[Trace]:
    chance = random.Random(seed)
    for _ in range(count):
        is_bucket = kind == "token_bucket"
        quotas = [_bucket(chance) for _ in range(3)] if is_bucket else _windows(kind, chance)
        start = chance.choice([0, chance.randint(0, 2000), YEAR_2027, YEAR_2027 + 1])
        trace = Trace(kind, quotas, start, [])
        trace.steps = list(_steps(trace, chance))
        yield trace


def _replies(server: redis.Redis, digest: str, trace: Trace) -> list[Any]:
    server.flushall()
    pipeline, now = server.pipeline(transaction=False), trace.start
    for number, (gap, op, cost, quota) in enumerate(trace.steps):
        now += gap
        # A refund comes with whatever quota its caller has.
        sent = trace.quotas[number % 3 if op == "r" else quota]
        pipeline.evalsha(digest, 1, KEY, op, cost, *sent, *divmod(now, 10**6))
    return pipeline.execute(raise_on_error=False)


def difference(server: redis.Redis, digest: str, trace: Trace) -> str | None:
    """Where the script and the limiter in memory part, if they do."""
    clock, last = ManualClock(trace.start / 1e6), 0
    make: Any = TokenBucket if trace.kind == "token_bucket" else MAKERS[trace.kind]
    limiter = make(*trace.arguments(0), clock=clock)
    steps = zip(trace.steps, _replies(server, digest, trace), strict=True)
    for number, ((gap, op, cost, quota), reply) in enumerate(steps):
        clock.advance(gap / 1e6)
        if quota != last:
            limiter.set_quota(*trace.arguments(quota))
            last = quota
        where = f"{trace.quotas} from {trace.start}: {trace.steps[: number + 1]}: {reply}"
        if isinstance(reply, Exception) or isinstance(reply[0], Exception):
            return where
        if op == "r":
            limiter.refund(KEY, cost)
            continue
        decision = limiter.check(KEY, cost) if op == "c" else limiter.peek(KEY, cost)
        case = Case(trace.kind, limiter, clock, trace.quotas[quota], 0, [])
        answer = without_mark(op, cost, trace.quotas[quota], reply[0])
        allowed, remaining, retry, reset = case.read(answer, op, cost)
        told = (allowed, remaining, retry / 1e6, reset / 1e6)
        mine = (decision.allowed, decision.remaining, decision.retry_after, decision.reset_after)
        if told != mine:
            return f"{where} is not {mine}"
    return None
