"""The public API against slow, obvious models, in both directions."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sluicegate import (
    FixedWindow,
    Limiter,
    ManualClock,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

TICK = 1e-6
keys = st.sampled_from(["", "a", "b", "\ud800", "x" * 1000])


class Model(ABC):
    """Every admitted unit of every key, for ever: (tick, key)."""

    def __init__(self, limit: int, window: int) -> None:
        self.limit = limit
        self.window = window
        self.units: list[tuple[int, str]] = []

    def times(self, key: str) -> list[int]:
        return [time for time, other in self.units if other == key]

    @abstractmethod
    def fits(self, key: str, now: int, cost: int) -> bool: ...


class LogModel(Model):
    def fits(self, key: str, now: int, cost: int) -> bool:
        live = [time for time in self.times(key) if time > now - self.window]
        return len(live) + cost <= self.limit


class SegmentModel(Model):
    def fits(self, key: str, now: int, cost: int) -> bool:
        part = -(-self.window // 60)
        last_ticks = [time - time % part + part - 1 for time in self.times(key)]
        live = [last for last in last_ticks if last > now - self.window]
        return len(live) + cost <= self.limit


class FixedModel(Model):
    def fits(self, key: str, now: int, cost: int) -> bool:
        here = [time for time in self.times(key) if time // self.window == now // self.window]
        return len(here) + cost <= self.limit


class CounterModel(Model):
    def fits(self, key: str, now: int, cost: int) -> bool:
        number, elapsed = divmod(now, self.window)
        counts = [
            sum(time // self.window == n for time in self.times(key)) for n in (number - 1, number)
        ]
        weight = counts[0] * (self.window - elapsed) + (counts[1] + cost) * self.window
        return weight <= self.limit * self.window


class BucketModel(Model):
    """Limit is the capacity, and the window the time from empty to full."""

    def fits(self, key: str, now: int, cost: int) -> bool:
        rate = Fraction(self.limit, self.window)
        level, last = Fraction(self.limit), 0
        for time in self.times(key):
            level = min(Fraction(self.limit), level + (time - last) * rate) - 1
            last = time
        return min(Fraction(self.limit), level + (now - last) * rate) >= cost


KINDS: dict[str, tuple[Callable[..., Model], Callable[..., Limiter]]] = {
    "log": (
        LogModel,
        lambda limit, window, clock: SlidingWindowRateLimiter(limit, window, clock=clock),
    ),
    "fixed": (FixedModel, lambda limit, window, clock: FixedWindow(limit, window, clock=clock)),
    "segments": (
        SegmentModel,
        lambda limit, window, clock: SegmentedWindow(limit, window, clock=clock),
    ),
    "counter": (
        CounterModel,
        lambda limit, window, clock: SlidingWindowCounter(limit, window, clock=clock),
    ),
    "bucket": (
        BucketModel,
        lambda limit, window, clock: TokenBucket(
            capacity=limit, refill_rate=limit / window, clock=clock
        ),
    ),
}


class AnyLimiter(RuleBasedStateMachine):
    """Verbs in any order, time in any steps: the limiter and its model never part."""

    @initialize(
        kind=st.sampled_from(sorted(KINDS)),
        limit=st.integers(1, 6),
        seconds=st.sampled_from([1, 3, 10, 5000]),
    )
    def start(self, kind: str, limit: int, seconds: int) -> None:
        model, make = KINDS[kind]
        self.clock = ManualClock()
        self.window = seconds * 10**6
        self.limiter = make(limit, seconds, self.clock)
        self.model = model(limit, self.window)
        self.admitted = self.refused = 0

    @property
    def now(self) -> int:
        return round(self.clock.time() * 1e6)

    @rule(
        part=st.sampled_from([0, 1, 2, 3, 4, 6, 60]),
        ticks=st.integers(-1, 1),
        whole=st.integers(0, 2),
    )
    def time_passes(self, part: int, ticks: int, whole: int) -> None:
        step = whole * self.window + (self.window // part if part else 0) + ticks
        self.clock.advance(max(0, step) * TICK)

    @rule(key=keys, data=st.data())
    def check(self, key: str, data: st.DataObject) -> None:
        cost = data.draw(st.integers(1, self.model.limit))
        expected = self.model.fits(key, self.now, cost)
        before = self.limiter.peek(key, cost)
        decision = self.limiter.check(key, cost)
        assert before.allowed is decision.allowed is expected
        if expected:
            self.model.units += [(self.now, key)] * cost
            self.admitted += 1
            assert decision.retry_after == 0.0
        else:
            self.refused += 1
            wait = round(decision.retry_after * 1e6)
            assert wait >= 1
            assert self.model.fits(key, self.now + wait, cost)
            assert not self.model.fits(key, self.now + wait - 1, cost)
        assert decision.reset_at == self.clock.time() + decision.reset_after or math.isclose(
            decision.reset_at, self.clock.time() + decision.reset_after, abs_tol=TICK
        )

    @rule(many=st.lists(keys, max_size=8))
    def check_many(self, many: list[str]) -> None:
        for key, allowed in zip(many, self.limiter.is_allowed_many(many), strict=True):
            assert allowed is self.model.fits(key, self.now, 1)
            if allowed:
                self.model.units.append((self.now, key))
            self.admitted += allowed
            self.refused += not allowed

    @rule(key=keys)
    def reset(self, key: str) -> None:
        self.limiter.reset(key)
        self.model.units = [unit for unit in self.model.units if unit[1] != key]

    @rule()
    def clear(self) -> None:
        self.limiter.clear()
        self.model.units = []
        assert len(self.limiter) == 0

    @invariant()
    def what_remains_is_what_fits(self) -> None:
        if not hasattr(self, "limiter"):
            return
        for key in ("a", "never"):
            remaining = self.limiter.peek(key).remaining
            assert remaining == 0 or self.model.fits(key, self.now, remaining)
            assert remaining == self.model.limit or not self.model.fits(
                key, self.now, remaining + 1
            )

    @invariant()
    def the_books_are_kept(self) -> None:
        if hasattr(self, "limiter"):
            statistics = self.limiter.statistics()
            assert (statistics.admitted, statistics.refused) == (self.admitted, self.refused)
            assert statistics.keys == len(self.limiter)


TestAnyLimiter = AnyLimiter.TestCase


@given(
    st.integers(1, 30),
    st.floats(1e-3, 1e5),
    st.lists(st.floats(0, 3), min_size=1, max_size=150),
)
def test_no_span_of_a_bucket_admits_more_than_it_may(
    capacity: int, rate: float, gaps: list[float]
) -> None:
    clock = ManualClock()
    bucket = TokenBucket(capacity=capacity, refill_rate=rate, clock=clock)
    admitted: list[float] = []
    for gap in gaps:
        clock.advance(gap * capacity / rate)
        admitted += [clock.time()] * sum(bucket.is_allowed("k") for _ in range(3))
    for first, start in enumerate(admitted):
        for last in range(first, len(admitted)):
            span = admitted[last] - start
            assert last - first + 1 <= capacity + math.floor(span * rate * (1 + 1e-12) + 1e-9)


@given(st.text(max_size=5), st.text(max_size=5))
def test_two_keys_never_share(one: str, other: str) -> None:
    limiter = FixedWindow(1, 60, clock=ManualClock())
    assert limiter.is_allowed(one)
    assert limiter.is_allowed(other) is (one != other)


anything: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.just([]),
)


@given(anything, anything, anything)
def test_whatever_is_passed_no_panic_comes_back(first: Any, second: Any, third: Any) -> None:
    limiter = SlidingWindowRateLimiter(3, 10, clock=ManualClock())
    calls: list[Callable[[], Any]] = [
        lambda: FixedWindow(first, second, max_keys=third),
        lambda: SlidingWindowRateLimiter(first, second, overflow=third),
        lambda: SegmentedWindow(first, second, max_keys=third),
        lambda: SlidingWindowCounter(first, second, clock=third),
        lambda: TokenBucket(capacity=first, refill_rate=second, initial_tokens=third).check("a"),
        lambda: limiter.check(first, second),
        lambda: limiter.refund(first, second),
        lambda: limiter.is_allowed_many(first, second),
        lambda: limiter.wait_sync(first, second, 0),
        lambda: limiter.set_quota(first, second),
        lambda: ManualClock(first).advance(second),
    ]
    for call in calls:
        try:
            call()
        except (TypeError, ValueError) as error:
            assert str(error)
