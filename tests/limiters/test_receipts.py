"""A decision is a receipt: what it spent comes back, once, and nobody else's units do."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polling import until
from sluicegate import (
    Decision,
    FixedWindow,
    ManualClock,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate.testing import limits_off

START = 1_795_000_020.0  # a minute's start
WINDOWS: list[Any] = [FixedWindow, SlidingWindowCounter, SlidingWindowRateLimiter]

Make = Callable[..., Any]


class Ledger:
    """The slow, obvious way: all that was spent and has not come back, unit by unit."""

    def __init__(self, kind: Any, limit: int, window: int) -> None:
        self.kind, self.limit, self.window = kind, limit, window
        self.units: list[tuple[str, int, int]] = []  # key, time, number of the call

    def room(self, key: str, now: int) -> int:
        times = [time for owner, time, _ in self.units if owner == key]
        if self.kind is SlidingWindowRateLimiter:
            return self.limit - sum(time > now - self.window for time in times)
        if (
            self.kind is SegmentedWindow
        ):  # 60 parts of a second: a unit counts to the end of its own
            return self.limit - sum(time + self.window >= now for time in times)
        start = now - now % self.window
        current = sum(time >= start for time in times)
        if self.kind is FixedWindow:
            return self.limit - current
        before = sum(start - self.window <= time < start for time in times)
        weighted = before * (start + self.window - now) + current * self.window
        return max(0, self.limit - -(-weighted // self.window))

    def spend(self, key: str, now: int, call: int, cost: int) -> None:
        self.units += [(key, now, call)] * cost

    def give_back(self, call: int, units: int) -> None:
        for _ in range(units):
            self.units.remove(next(unit for unit in self.units if unit[2] == call))

    def reset(self, key: str) -> None:
        self.units = [unit for unit in self.units if unit[0] != key]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("check"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("check"), st.sampled_from("ab"), st.integers(1, 4)),
        st.tuples(st.just("refund"), st.integers(0, 6), st.integers(1, 4)),
        st.tuples(
            st.just("pass"), st.sampled_from([1, 7, 29, 30, 31, 59, 60, 61, 120]), st.just(0)
        ),
        st.tuples(st.just("reset"), st.sampled_from("ab"), st.just(0)),
    ),
    max_size=60,
)


@pytest.mark.parametrize("kind", [*WINDOWS, SegmentedWindow])
@given(steps=STEPS)
def test_windows_agree_with_the_ledger(kind: Any, steps: list[tuple[str, Any, int]]) -> None:
    clock = ManualClock(START)
    limiter, ledger = kind(5, 60, clock=clock), Ledger(kind, 5, 60)
    now = int(START)
    receipts: list[tuple[str, Decision, int, int]] = []  # key, decision, call, left
    for call, (what, who, amount) in enumerate(steps):
        if what == "check":
            decision = limiter.check(who, amount)
            assert bool(decision) == (amount <= ledger.room(who, now))
            if decision:
                ledger.spend(who, now, call, amount)
                receipts.append((who, decision, call, amount))
        elif what == "refund" and receipts:
            index = len(receipts) - 1 - who % len(receipts)
            key, decision, spent_by, left = receipts.pop(index)
            units = min(amount, left)
            limiter.refund(key, decision, units)
            known = sum(unit[2] == spent_by for unit in ledger.units)
            ledger.give_back(spent_by, min(units, known))
            if units < left:
                receipts.append((key, decision, spent_by, left - units))
        elif what == "pass":
            clock.advance(who)
            now += who
        elif what == "reset":
            limiter.reset(who)
            ledger.reset(who)
        for key in "ab":
            assert limiter.peek(key).remaining == max(0, ledger.room(key, now)), (call, what)


@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), min_size=1, max_size=20),
    which=st.integers(0, 19),
)
def test_a_bucket_is_never_above_what_it_would_be(steps: list[tuple[int, int]], which: int) -> None:
    """Two buckets, of which one never saw a certain spend; tenths of a second, a token in one."""
    clock = ManualClock(START)
    seen, spared = (TokenBucket("10/second burst 6", clock=clock) for _ in range(2))
    receipt, alone = None, True
    for index, (tenths, cost) in enumerate(steps):
        clock.advance(tenths / 20)
        decision = seen.check("key", cost)
        if not decision:
            continue
        if index == which:
            receipt = decision
        else:
            alone &= receipt is None
            assert spared.check("key", cost)
    if receipt is None:
        return
    seen.refund("key", receipt)
    left, whole = seen.peek("key"), spared.peek("key")
    assert left.remaining <= whole.remaining
    assert left.reset_after >= whole.reset_after
    if alone:
        assert left == whole


@pytest.mark.parametrize("kind", [FixedWindow, SlidingWindowRateLimiter, SegmentedWindow])
def test_who_gives_the_rest_back_gets_the_whole_quota(kind: Any) -> None:
    """Checks for twice what it uses, again and again, for ten windows."""
    clock = ManualClock(START)
    limiter = kind(100, 60, clock=clock)
    used = 0
    for _ in range(10 * 600):
        decision = limiter.check("key", 2)
        if decision:
            used += 1
            limiter.refund("key", decision, units=1)
        clock.advance(0.1)
    assert used == 10 * 99 if kind is SlidingWindowRateLimiter else used >= 10 * 99


@pytest.mark.parametrize("kind", WINDOWS)
def test_a_failed_try_leaves_nothing_behind(kind: Any) -> None:
    clock = ManualClock(START)
    limiter = kind(5, 60, clock=clock)
    for _ in range(3):
        assert limiter.check("busy")
        clock.advance(1)
    before = limiter.peek("busy")
    decision = limiter.check("busy")
    limiter.refund("busy", decision)
    assert limiter.peek("busy") == before


def test_what_has_left_its_window_frees_nobody_elses_unit() -> None:
    clock = ManualClock(START + 59)
    limiter = FixedWindow(2, 60, clock=clock)
    early = limiter.check("key")
    clock.advance(2)
    assert limiter.check("key", 2)
    limiter.refund("key", early)
    assert not limiter.check("key")


def test_what_waits_for_a_key_is_let_in_by_a_receipt() -> None:
    limiter = SlidingWindowRateLimiter("1/day")
    decision = limiter.check("key")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(limiter.wait_sync, "key", 1, None)
        until(lambda: limiter.peek("key").retry_after > 90_000, "the thread has lined up")
        limiter.refund("key", decision)
        assert waiting.result(timeout=10)


def test_of_many_threads_one_gives_it_back() -> None:
    limiter = SlidingWindowRateLimiter("1000/day")

    def refunds(decision: Decision) -> bool:
        try:
            limiter.refund("key", decision)
        except ValueError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        for _ in range(100):
            decision = limiter.check("key", 3)
            assert limiter.check("key")
            assert sum(pool.map(refunds, [decision] * 8)) == 1
    assert limiter.peek("key").remaining == 900


@pytest.mark.parametrize("kind", [TokenBucket, SlidingWindowCounter, SegmentedWindow])
def test_another_window_voids_the_receipts_of_what_cannot_tell(kind: Any) -> None:
    limiter = kind("10/minute", clock=ManualClock(START))
    decision = limiter.check("key", 4)
    limiter.set_quota("20/hour")
    limiter.refund("key", decision)
    assert limiter.peek("key").remaining < 20


@pytest.mark.parametrize("kind", [*WINDOWS, SegmentedWindow])
def test_another_limit_keeps_receipts(kind: Any) -> None:
    limiter = kind("10/minute", clock=ManualClock(START))
    decision = limiter.check("key", 4)
    limiter.set_quota("20/minute")
    limiter.refund("key", decision)
    assert limiter.peek("key").remaining == 20


def test_a_log_tells_its_units_under_another_quota() -> None:
    limiter = SlidingWindowRateLimiter("10/minute", clock=ManualClock(START))
    decision = limiter.check("key", 4)
    limiter.set_quota("20/hour")
    limiter.refund("key", decision)
    assert limiter.peek("key").remaining == 20


def test_what_new_keys_share_takes_nothing_back() -> None:
    limiter = FixedWindow("2/minute", max_keys=1, clock=ManualClock(START))
    assert limiter.check("first")
    overflowing = limiter.check("second")
    limiter.refund("second", overflowing)
    assert limiter.check("third")
    assert not limiter.check("fourth"), "the shared quota of two was given back"


def test_limits_off_spends_and_gives_back_nothing() -> None:
    limiter = FixedWindow("2/minute", clock=ManualClock(START))
    spent = limiter.check("key")
    with limits_off():
        limiter.refund("key", limiter.check("key"))
        limiter.refund("key", spent)
    assert limiter.peek("key").remaining == 1


def decided(limiter: Any, cost: int = 2) -> Decision:
    decision: Decision = limiter.check("key", cost)
    return decision


@pytest.mark.parametrize(
    ("refund", "error", "says"),
    [
        (lambda limiter: limiter.refund("other", decided(limiter)), ValueError, "another key"),
        (
            lambda limiter: limiter.refund("key", decided(FixedWindow("9/minute"))),
            ValueError,
            "another limiter",
        ),
        (
            lambda limiter: limiter.refund("key", decided(limiter), 3),
            ValueError,
            "units .* 2, got 3",
        ),
        (lambda limiter: limiter.refund("key", decided(limiter), 0), ValueError, "units .* got 0"),
        (
            lambda limiter: limiter.refund("key", decided(limiter), True),
            TypeError,
            "units .* got bool True",
        ),
        (lambda limiter: limiter.refund("key", 1, 1), TypeError, "units means nothing without"),
        (lambda limiter: limiter.refund("key", None), TypeError, "None"),
        (lambda limiter: limiter.refund("key", "1/second"), TypeError, "cost must be an int"),
        (lambda limiter: limiter.refund(5, decided(limiter)), TypeError, "key must be a str"),
        (
            lambda limiter: limiter.refund("key", copy.copy(decided(limiter))),
            ValueError,
            "it is a copy",
        ),
        (
            lambda limiter: limiter.refund("key", pickle.loads(pickle.dumps(decided(limiter)))),
            ValueError,
            "it is a copy",
        ),
        (
            lambda limiter: (decided(limiter, 5), limiter.refund("key", decided(limiter))),
            ValueError,
            "it was refused",
        ),
    ],
)
def test_what_is_no_receipt_is_refused(
    refund: Callable[[Any], None], error: type[Exception], says: str
) -> None:
    limiter = FixedWindow("5/minute", clock=ManualClock(START))
    with pytest.raises(error, match=says):
        refund(limiter)


def test_it_comes_back_once() -> None:
    limiter = FixedWindow("5/minute", clock=ManualClock(START))
    decision = limiter.check("key", 3)
    limiter.refund("key", decision, 2)
    limiter.refund("key", decision)
    assert limiter.peek("key").remaining == 5
    for units in (None, 1):
        with pytest.raises(ValueError, match="all that it spent, 3, was given back before"):
            limiter.refund("key", decision, units)


def test_a_decision_stays_small_and_can_be_subclassed() -> None:
    class Named(Decision):
        name = "chat"

    decision = FixedWindow("5/minute").check("key")
    assert sys.getsizeof(decision) <= 128
    named = Named(True, 5, 4, 0.0, 60.0, 9.0)
    assert named.name == "chat"
    assert named == Decision(True, 5, 4, 0.0, 60.0, 9.0)
    assert type(pickle.loads(pickle.dumps(decision))) is Decision


def test_a_buckets_receipts_know_of_each_other() -> None:
    clock = ManualClock(START)
    limiter = TokenBucket(2, 1.0, clock=clock)
    first, second = limiter.check("key"), limiter.check("key")
    limiter.refund("key", first)
    clock.advance(1.0)
    assert limiter.check("key", 2)
    limiter.refund("key", second)
    assert not limiter.check("key"), "a token that nobody had"


@given(
    steps=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), min_size=1, max_size=25),
    order=st.randoms(use_true_random=False),
)
def test_many_receipts_of_a_bucket_are_never_above_what_would_be(
    steps: list[tuple[int, int]], order: Any
) -> None:
    clock = ManualClock(START)
    seen, spared = (TokenBucket("10/second burst 6", clock=clock) for _ in range(2))
    receipts: list[Decision] = []
    for index, (tenths, cost) in enumerate(steps):
        clock.advance(tenths / 20)
        if receipts and index % 4 == 3:
            seen.refund("key", receipts.pop(order.randrange(len(receipts))))
        decision = seen.check("key", cost)
        if decision and index % 2:
            receipts.append(decision)
        elif decision:
            assert spared.check("key", cost)
    order.shuffle(receipts)
    for receipt in receipts:
        seen.refund("key", receipt)
    assert seen.peek("key").remaining <= spared.peek("key").remaining
    assert seen.peek("key").reset_after >= spared.peek("key").reset_after


@pytest.mark.parametrize("longer", ["2/minute", "2/day in UTC"])
def test_a_longer_window_gives_back_nothing_that_it_does_not_count(longer: str) -> None:
    clock = ManualClock(10)
    limiter = FixedWindow(2, 7, clock=clock)
    decision = limiter.check("key", 2)
    clock.advance(5)
    limiter.set_quota(longer)
    assert limiter.check("key", 2)
    limiter.refund("key", decision)
    assert not limiter.check("key")


def test_resets_of_other_keys_void_no_receipt() -> None:
    limiter = FixedWindow("5/day", clock=ManualClock(START))
    receipts = {f"held{n}": limiter.check(f"held{n}") for n in range(50)}
    for n in range(20_000):
        limiter.check(f"reset{n}")
        limiter.reset(f"reset{n}")
    for key, decision in receipts.items():
        limiter.refund(key, decision)
        assert limiter.peek(key).remaining == 5


def test_a_full_bucket_remembers_what_came_back_however_many_others_there_are() -> None:
    clock = ManualClock()
    bucket = TokenBucket(capacity=10, refill_rate=1, clock=clock)
    held = bucket.check("key", 10)
    clock.advance(1)
    bucket.refund("key", 9)
    for other in range(20_000):
        bucket.check(f"other {other}", 10)
        bucket.refund(f"other {other}", 10)
    clock.advance(1)
    assert bucket.check("key", 10)
    bucket.refund("key", held)
    assert bucket.peek("key").remaining == 0


def test_a_receipt_of_another_rate_says_nothing_of_a_bucket_that_began_anew() -> None:
    clock = ManualClock(START)
    limiter = TokenBucket(5, 10.0, clock=clock)
    decision = limiter.check("key", quota="7/second burst 5")
    clock.advance(0.02)
    limiter.refund("key")  # it is full, and no longer held
    assert limiter.check("key", 5, quota="1000/second burst 5")
    limiter.refund("key", decision)
    assert limiter.peek("key", quota="1000/second burst 5").remaining == 0, "somebody else's token"


@pytest.mark.parametrize("kind", WINDOWS)
def test_a_reset_voids_receipts_of_a_key_that_a_refund_had_emptied(kind: Any) -> None:
    limiter = kind("2/minute", clock=ManualClock(START))
    decision = limiter.check("key")
    limiter.refund("key")
    limiter.reset("key")
    assert limiter.check("key", 2)
    limiter.refund("key", decision)
    assert not limiter.check("key"), "somebody else's unit"
