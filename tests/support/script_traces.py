"""Random traces that drive a Redis script and an in-memory limiter side by side."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import redis

import sluicegate.redis
from sluicegate import (
    FixedWindow,
    Limiter,
    ManualClock,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate.redis import AsyncLimiter

SCRIPTS = Path(__file__).parents[2] / "src/store/redis/scripts"
KINDS = ("token_bucket", "fixed_window", "segmented_window", "sliding_counter", "sliding_log")
KEY = "k" * 16
YEAR_2027, LATEST = 1_798_761_600_000_000, 7_900_000_000_000_000
MAKERS: dict[str, Callable[..., Limiter]] = {
    "fixed_window": FixedWindow,
    "segmented_window": SegmentedWindow,
    "sliding_counter": SlidingWindowCounter,
    "sliding_log": SlidingWindowRateLimiter,
}
LIMITERS: dict[str, Callable[..., AsyncLimiter]] = {
    "token_bucket": sluicegate.redis.TokenBucket,
    "fixed_window": sluicegate.redis.FixedWindow,
    "segmented_window": sluicegate.redis.SegmentedWindow,
    "sliding_counter": sluicegate.redis.SlidingWindowCounter,
    "sliding_log": sluicegate.redis.SlidingWindowRateLimiter,
}

# Tells a script's reply and the TTL in ms that it set (-2: none), and has the key live for as long
# by the clock that the script sees, which is not the server's own.
HARNESS = """
local real, ttl, now = redis, -2, ARGV[#ARGV - 1] * 1000 + math.floor(ARGV[#ARGV] / 1000)
local redis = {error_reply = real.error_reply}
local ends = 'ends ' .. KEYS[1]
if now >= tonumber(real.call('GET', ends) or math.huge) then real.call('DEL', ends, KEYS[1]) end
function redis.call(command, ...)
  local words = {...}
  if command == 'SET' or command == 'PEXPIRE' then
    ttl, words[#words] = words[#words], 10^13
    real.call('SET', ends, string.format('%%.0f', now + ttl))
  end
  return real.call(command, unpack(words))
end
local body = function() %s end
return {body(), ttl}
"""


def source(kind: str) -> str:
    """The script's text, as the core puts it together."""
    limiter: AsyncLimiter = LIMITERS[kind]("redis://127.0.0.1:1", 1, 1)
    return limiter._core.script


def without_mark(op: str, cost: int, quota: tuple[int, ...], reply: Any) -> Any:
    """A reply without what receipts have to know: an admission's mark, where there is no wait to tell. A
    bucket that was spent from tells what it keeps: the room that is left.
    """
    if isinstance(reply, list) and op == "c" and reply[0] >= 0:
        return [reply[0], 0, *reply[2:]]
    if not isinstance(reply, bytes):
        return reply
    return quota[0] - int(struct.unpack_from("<d", reply)[0])


def timed(script: str) -> str:
    """The script, its time taken from two more arguments."""
    assert script.count("redis.call('TIME')") == 1
    moved = script.replace("redis.call('TIME')", "{ARGV[#ARGV - 1], ARGV[#ARGV]}")
    return HARNESS % moved


@dataclass
class Case:
    """A quota for both sides, a time to start at, and steps: (gap in ticks, op, cost)."""

    kind: str
    limiter: Limiter
    clock: ManualClock
    quota: tuple[int, ...]
    start: int
    steps: list[tuple[int, str, int]]
    came_back: bool = False

    def read(self, reply: Any, op: str, cost: int) -> tuple[bool, int, int, int]:
        """A reply as (allowed, remaining, retry, reset)."""
        if self.kind != "token_bucket":
            room, retry, reset = reply[:3]
            return room >= 0, room if room >= 0 else -1 - room, retry, reset
        capacity, per_token, per_tick = self.quota
        level = reply if reply >= 0 else reply + cost * per_token
        retry, reset = -(min(reply, 0) // per_tick), -((level - capacity) // per_tick)
        return reply >= 0, max(level, 0) // per_token, retry, reset


def steps(chance: random.Random, start: int, limit: int, interval: int, window: int) -> list[Any]:
    around = [span + by for span in (interval, window, 2 * window) for by in (-1, 0, 1)]
    made = []
    for _ in range(chance.randint(1, 40)):
        few = [0, 0, 0, 1, 1000 * window, chance.randint(0, window), chance.randint(0, interval)]
        gap = chance.choice([0, *few, *around])
        gap = gap if gap >= 0 and start + gap <= LATEST else 0
        start += gap
        cost = chance.choice([1, 1, 1, limit, chance.randint(1, limit)])
        made.append((gap, chance.choice("cccccppr"), cost))
    return made


def window_case(kind: str, chance: random.Random) -> Case:
    large = 3000 if kind == "sliding_log" else 2**32 - 1
    limit = chance.choice([1, 2, 3, 7, 100, large, large - 1])
    spans = [1, 2, 7, 50, 1000, 1001, 60 * 10**6, 2**32 + 1, 10**15 - 11, 10**15]
    window = chance.choice([*spans, chance.randint(1, 10**15)])
    start = chance.choice([0, 1, chance.randint(0, 2000), YEAR_2027, LATEST, LATEST - window])
    clock = ManualClock(start / 1e6)
    limiter = MAKERS[kind](limit, window / 1e6, clock=clock)
    part = -(-window // 60) if kind == "segmented_window" else window // limit
    trace = steps(chance, start, limit, part, window)
    return Case(kind, limiter, clock, (limit, window), start, trace)


def bucket_case(chance: random.Random) -> Case:
    rates = [10, 7, Fraction(1, 3), Fraction(5, 3), 10**6, 3 * 10**6, 4_999_999, 10**12]
    while True:
        rate = Fraction(chance.choice([*rates, 999_999_999_989, Fraction(1, 10**9)])) / 10**6
        limit = chance.choice([1, 2, 5, 12, 1000, 10**6, 2**32 - 1])
        per_tick, per_token = rate.as_integer_ratio()
        capacity = limit * per_token
        if capacity <= 2**52 and capacity <= 10**15 * per_tick:
            break
    start = chance.choice([0, chance.randint(0, 2000), YEAR_2027, LATEST])
    clock = ManualClock(start / 1e6)
    limiter = TokenBucket(capacity=limit, refill_rate=float(rate * 10**6), clock=clock)
    trace = steps(chance, start, limit, -(-per_token // per_tick), -(-capacity // per_tick))
    quota = (capacity, per_token, per_tick)
    return Case("token_bucket", limiter, clock, quota, start, trace)


def cases(kind: str, seed: int, count: int) -> list[Case]:
    chance = random.Random(seed)
    return [
        bucket_case(chance) if kind == "token_bucket" else window_case(kind, chance)
        for _ in range(count)
    ]


def replies(server: redis.Redis, script: str, case: Case) -> list[Any]:
    """What the script answers to every step, in one pipeline."""
    server.flushall()
    pipeline = server.pipeline(transaction=False)
    now = case.start
    for gap, op, cost in case.steps:
        now += gap
        pipeline.eval(script, 1, KEY, op, cost, *case.quota, *divmod(now, 10**6))
    return pipeline.execute(raise_on_error=False)


def is_time_to_live(ttl: int, reset: int) -> bool:
    return 0 <= ttl - -(-reset // 1000) <= 1


def is_kept_right(case: Case, ttl: int, reset: int) -> bool:
    """Until all of it is back; a bucket of which something came back, for as long as it may take to fill."""
    if case.kind != "token_bucket" or not case.came_back:
        return is_time_to_live(ttl, reset)
    capacity, _, per_tick = case.quota
    fills = -(-capacity // per_tick)
    return -(-reset // 1000) <= ttl <= -(-fills // 1000) + 1


def step_is_right(case: Case, now: int, op: str, cost: int, reply: Any, ttl: int) -> bool:
    limiter = case.limiter
    untouched = ttl == -2
    if op == "r":
        case.came_back = True
        limiter.refund(KEY, cost)
        reset = round(limiter.peek(KEY).reset_after * 1e6)
        return reply in (0, [0, 0, 0]) and (untouched or is_kept_right(case, ttl, reset))
    oldest = limiter.get_reset_time(KEY) if isinstance(limiter, SlidingWindowRateLimiter) else None
    decision = limiter.check(KEY, cost) if op == "c" else limiter.peek(KEY, cost)
    allowed, remaining, retry, reset = case.read(reply, op, cost)
    if oldest is not None and op == "p" and (now + reply[3]) / 1e6 != oldest:
        return False
    kept = is_kept_right(case, ttl, reset) if op == "c" and allowed else untouched
    told = (allowed, remaining, retry / 1e6, reset / 1e6)
    mine = (decision.allowed, decision.remaining, decision.retry_after, decision.reset_after)
    return kept and told == mine


def disagreement(server: redis.Redis, script: str, case: Case) -> str | None:
    """Where the script and the limiter part, if they do."""
    now = case.start
    answers = replies(server, script, case)
    for index, ((gap, op, cost), answer) in enumerate(zip(case.steps, answers, strict=True)):
        now += gap
        case.clock.advance(gap / 1e6)
        failed = isinstance(answer, Exception) or isinstance(answer[0], Exception)
        if failed or not step_is_right(
            case, now, op, cost, without_mark(op, cost, case.quota, answer[0]), answer[1]
        ):
            return f"{case.quota} from {case.start}: {case.steps[: index + 1]}: {answer}"
    return None
