"""The limiters in Redis and those in memory decide alike, all through the public API."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from redis_programs import connected, run
from redis_servers import Server
from sluicegate import Decision, ManualClock, TokenBucketConfig, limiters, redis
from sluicegate.redis import AsyncLimiter

KINDS = (
    "FixedWindow",
    "SlidingWindowRateLimiter",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "TokenBucket",
)
WINDOWS = [0.000007, 0.001, 1, 7.3, 60, 3600, 4321.000001, 2_592_000]
LIMITS = [1, 2, 3, 7, 100, 3000]
RATES = [10, 7, 1 / 3, 5 / 3, 1000, 999_999.5, 0.001]
VERBS = ["check"] * 6 + ["peek", "peek", "refund", "reset"]
TRACES, STEPS = 12, 100

Quota = tuple[Any, ...]
Told = tuple[bool, int, int, int]


def quota_of(kind: str, chance: random.Random) -> tuple[Quota, int, float]:
    """A quota, its limit, and the seconds in which all of it comes back."""
    limit = chance.choice(LIMITS)
    if kind == "TokenBucket":
        config = TokenBucketConfig(limit, chance.choice(RATES))
        return (config,), limit, limit / config.refill_rate
    window = chance.choice(WINDOWS)
    return (limit, window), limit, window


def steps(limit: int, window: float, chance: random.Random) -> Iterator[tuple[int, str, str, int]]:
    """Ticks to let pass, a verb, a key and a cost."""
    whole = round(window * 1e6)
    one = max(whole // limit, 1)
    edges = [whole - 1, whole, whole + 1, 2 * whole, one - 1, one, one + 1, 1]
    for _ in range(STEPS):
        gap = chance.choice([0, 0, 0, 0, chance.choice(edges), chance.randint(0, whole)])
        cost = chance.choice([1, 1, 1, limit, chance.randint(1, limit)])
        yield gap, chance.choice(VERBS), chance.choice("abc"), cost


def told(decision: Decision) -> Told:
    retry, reset = round(decision.retry_after * 1e6), round(decision.reset_after * 1e6)
    return decision.allowed, decision.remaining, retry, reset


def alike(there: Decision, here: Decision) -> bool:
    """Exactly, but for a remembered refusal: it counts down by this process's own clock."""
    if there.store == "redis":
        return told(there) == told(here)
    if (there.store, there.allowed, here.allowed) != ("remembered", False, False):
        return False
    # It is remembered for a second at most.
    passed = here.retry_after - there.retry_after
    return there.remaining == here.remaining and there.retry_after > 0 and -1e-6 < passed < 1.001


class Pair:
    """A limiter in Redis and one in memory, of the same quota at the same time."""

    def __init__(self, kind: str, server: Server, remember: bool, chance: random.Random) -> None:
        self.quota, limit, window = quota_of(kind, chance)
        start = chance.randint(1_700_000_000_000_000, 1_900_000_000_000_000)
        self.clock, self.server = ManualClock(start / 1e6), server
        server.moved.micros = start
        options = {"timeout": 30, "on_error": "raise", "remember": remember}
        self.there = getattr(redis, kind)(server.url, *self.quota, prefix=f"{start}", **options)
        self.here = getattr(limiters, kind)(*self.quota, clock=self.clock)
        self.steps = list(steps(limit, window, chance))
        self.remember = remember

    async def disagreement(self, counted: Counter[str]) -> str | None:
        """Where they part, if they do."""
        await connected(self.there)
        for number, (gap, verb, key, cost) in enumerate(self.steps):
            if gap:
                self.clock.advance(gap / 1e6)
                self.server.moved.micros += gap
                # What is remembered holds by the real time, which stands still in comparison.
                await self.there.set_quota(*self.quota)
            arguments = (key,) if verb == "reset" else (key, cost)
            there = await getattr(self.there, verb)(*arguments)
            here = getattr(self.here, verb)(*arguments)
            counted[verb if there is None else f"{verb} by {there.store}"] += 1
            if there is not None and not alike(there, here):
                return f"{self.quota}: {self.steps[: number + 1]}: {there} is not {here}"
        return None


@pytest.mark.parametrize("remember", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_equal_traces_are_decided_alike(kind: str, remember: bool, moved_server: Server) -> None:
    counted: Counter[str] = Counter()

    async def main() -> None:
        for seed in range(TRACES):
            pair = Pair(kind, moved_server, remember, random.Random(seed))
            assert await pair.disagreement(counted) is None

    run(main())
    print(f"{kind}: {TRACES} traces of {STEPS} steps alike: {dict(counted)}")
    assert (counted["check by remembered"] > 0) is remember


def test_a_bucket_of_a_client_that_is_not_known_is_full(redis_server: Server) -> None:
    """Begun with less it would be emptied anew by each worker that starts."""
    partly = TokenBucketConfig(capacity=10, refill_rate=0.001, initial_tokens=3)
    for make in (redis.TokenBucket, redis.DistributedTokenBucket):
        with pytest.raises(ValueError, match="must have initial_tokens equal to its capacity"):
            make(redis_server.url, partly)

    async def main() -> None:
        for _ in range(2):  # workers, one after the other
            bucket = redis.TokenBucket(
                redis_server.url, TokenBucketConfig(10, 1000, 10), timeout=30
            )
            with pytest.raises(ValueError, match="initial_tokens"):
                await bucket.set_quota(partly)
            assert await bucket.check("a", 10)
            while redis_server.command("DBSIZE"):  # it is full again
                await asyncio.sleep(0.005)

    run(main())


def test_a_remembered_refusal_says_what_is_left(redis_server: Server) -> None:
    async def main() -> list[int]:
        limiter = redis.FixedWindow(redis_server.url, 3, 1e9, timeout=30)
        await connected(limiter)
        return [(await limiter.check("a", cost)).remaining for cost in (2, 2, 1, 2)]

    assert run(main()) == [1, 1, 0, 0]


def test_clocks_of_clients_decide_nothing(moved_server: Server) -> None:
    """The server's clock stands still: no unit comes back, however long it takes."""
    moved_server.set_time(2_000_000_000)
    makers: list[Callable[..., AsyncLimiter]] = [
        redis.FixedWindow,
        redis.SlidingWindowRateLimiter,
        redis.SegmentedWindow,
        redis.SlidingWindowCounter,
    ]

    async def main() -> None:
        for make in makers:
            limiter = make(moved_server.url, 1, 0.001, timeout=30, remember=False)
            await connected(limiter)
            assert await limiter.check("a")
            await asyncio.sleep(0.01)
            assert not await limiter.check("a")
            moved_server.advance(0.002)
            assert await limiter.check("a")

    run(main())
