"""Quotas of single keys: another amount in the same window, in this process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from sluicegate import (
    FixedWindow,
    Limiter,
    Quota,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate.testing import ManualClock, limits_off

Make = Callable[..., Limiter]
WINDOWS: list[Any] = [
    FixedWindow,
    SlidingWindowRateLimiter,
    SegmentedWindow,
    SlidingWindowCounter,
]
FREE, PLUS = Quota("5/minute"), Quota("50/minute")


@pytest.mark.parametrize("make", WINDOWS)
def test_a_client_who_changes_plan_keeps_what_was_spent(make: Make) -> None:
    limiter = make("5/minute", clock=ManualClock())
    assert all(limiter.check("u", quota=FREE) for _ in range(5))
    assert not limiter.check("u")
    up = limiter.check("u", 3, quota=PLUS)
    assert (up.allowed, up.limit, up.remaining) == (True, 50, 42)
    down = limiter.check("u", quota=FREE)
    assert (down.allowed, down.limit, down.remaining) == (False, 5, 0)
    assert 0 < down.retry_after <= 120
    assert limiter.peek("u", quota=PLUS).remaining == 42
    assert limiter.check("v").remaining == 4
    assert len(limiter) == 2


def test_a_bucket_keeps_the_tokens_that_are_missing_at_any_rate() -> None:
    clock = ManualClock()
    bucket = TokenBucket("1/second burst 10", clock=clock)
    fast = Quota("100/second burst 40")
    assert bucket.check("u", 6)
    assert bucket.check("u", 4, quota=fast).remaining == 30
    clock.advance(0.05)
    assert bucket.peek("u", quota=fast).remaining == 35
    assert bucket.check("u").remaining == 4
    clock.advance(1)
    assert bucket.check("u").remaining == 4


def test_a_calendars_days_stay_days() -> None:
    limiter = FixedWindow("5/day in Asia/Tokyo", clock=ManualClock())
    more = limiter.check("u", 7, quota="50/day in Asia/Tokyo")
    assert (more.remaining, limiter.check("u").allowed) == (43, False)


def test_every_verb_takes_it() -> None:
    limiter = SlidingWindowRateLimiter("5/minute", clock=ManualClock())
    assert limiter.is_allowed("u", 10, quota=PLUS)
    assert limiter.is_allowed("u", quota="50/minute")
    assert limiter.is_allowed_many(["u"] * 3, 13, quota=PLUS) == [True, True, True]
    assert limiter.peek_sync("u", quota=PLUS).remaining == 0
    assert limiter.check_sync("v", cost=9, quota=PLUS).remaining == 41
    assert [one.limit for one in limiter.check_many_sync(["v", "w"], quota="50/minute")] == [50, 50]
    assert limiter.wait_sync("v", 20, quota=PLUS).remaining == 20
    assert asyncio.run(limiter.wait("v", 20, quota="50/minute")).remaining == 0
    refused = asyncio.run(limiter.wait("v", 20, timeout=59, quota=PLUS))
    assert (refused.allowed, refused.retry_after) == (False, 60)
    limiter.refund("v", 30)
    assert limiter.peek("v", quota=PLUS).remaining == 30
    receipt = limiter.check("v", 10, quota=PLUS)
    limiter.refund("v", receipt, units=4)
    assert limiter.peek("v", quota=PLUS).remaining == 24
    assert limiter.check("v", quota=None).limit == 5


def test_limits_off_still_examines_it() -> None:
    limiter = SlidingWindowRateLimiter("5/minute")
    with limits_off():
        assert limiter.check("u", 40, quota=PLUS).limit == 50
        assert limiter.wait_sync("u", 40, quota=PLUS).remaining == 50
        assert limiter.is_allowed_many(["u"], 40, quota=PLUS) == [True]
        for verb in (limiter.check, limiter.peek, limiter.wait_sync, limiter.is_allowed):
            with pytest.raises(ValueError, match="as in '50/minute'"):
                verb("u", quota="50/second")
            with pytest.raises(ValueError, match="cost must be an int from 1 to the limit, 50"):
                verb("u", 51, quota=PLUS)


BAD: list[tuple[Any, type[Exception], str]] = [
    ("50/second", ValueError, "own quota, '5/minute', as in '50/minute'"),
    ("50/hour", ValueError, "own quota, '5/minute', as in '50/minute'"),
    ("50 tokens/minute", ValueError, "counts requests, not tokens: give '50/minute'"),
    ("50/minute burst 3", ValueError, "own quota, '5/minute', as in '50/minute'"),
    ("50/day in UTC", ValueError, "own quota, '5/minute', as in '50/minute'"),
    ("5 concurrent", ValueError, "own quota, '5/minute', as in '5/minute'"),
    ("unlimited", ValueError, "own quota, '5/minute', as in '5/minute'"),
    ("5/fortnight", ValueError, "'fortnight' is no period"),
    ("5/minute; 9/hour", ValueError, "a Gate takes several"),
    (50, TypeError, "quota must be a Quota or its text, as '50/minute', got int 50"),
    ((50, 60), TypeError, "quota must be a Quota or its text, as '50/minute', got tuple"),
    (b"50/minute", TypeError, "quota must be a Quota or its text, as '50/minute', got bytes"),
]


@pytest.mark.parametrize(("bad", "error", "said"), BAD)
def test_what_is_no_quota_of_this_limiter_is_refused(
    bad: Any, error: type[Exception], said: str
) -> None:
    limiter = SlidingWindowRateLimiter("5/minute", clock=ManualClock())
    assert limiter.check("held", 2)
    given = [bad]
    if isinstance(bad, str) and error is ValueError and "fortnight" not in bad and ";" not in bad:
        given.append(Quota(bad))
    calls: list[Callable[..., Any]] = [
        limiter.check,
        limiter.peek,
        limiter.is_allowed,
        limiter.wait_sync,
        lambda key, quota: limiter.is_allowed_many([key], quota=quota),
        lambda key, quota: limiter.check_many_sync([key], quota=quota),
        lambda key, quota: asyncio.run(limiter.wait(key, quota=quota)),
    ]
    for quota in given:
        for key in ("held", "new"):
            for call in calls:
                with pytest.raises(error) as raised:
                    call(key, quota=quota)
                assert said in str(raised.value)
                if isinstance(bad, str):
                    assert bad.split(";")[0] in str(raised.value)
    assert (len(limiter), limiter.peek("held").remaining) == (1, 3)


def test_of_a_limiter_that_counts_something_else() -> None:
    bucket = TokenBucket("10 tokens/second burst 20")
    assert bucket.check("m", 30, quota="10 tokens/second burst 40")
    with pytest.raises(
        ValueError, match="counts tokens, not requests: give '9 tokens/second burst 40'"
    ):
        bucket.check("m", quota=Quota("9/second burst 40"))
    with pytest.raises(ValueError, match="counts tokens, not requests: give '20 tokens/second'"):
        bucket.set_quota("20/second")
    assert bucket.limit == 20
    bucket.set_quota(30, 10)
    assert bucket.limit == 30


def test_a_cost_above_its_quota_can_never_be_admitted() -> None:
    limiter = SlidingWindowRateLimiter("5/minute")
    with pytest.raises(ValueError, match="from 1 to the limit, 50, got 51"):
        limiter.check("u", 51, quota=PLUS)
    with pytest.raises(ValueError, match="from 1 to the limit, 5, got 6"):
        limiter.check("u", 6)


@pytest.mark.parametrize("make", [*WINDOWS, TokenBucket])
def test_threads_with_two_quotas_admit_exactly_the_larger(make: Make) -> None:
    limiter = make("300/minute", clock=ManualClock())
    more, admitted = Quota("500/minute"), [0] * 8
    barrier = threading.Barrier(8)

    def hammer(thread: int) -> None:
        quota = more if thread % 2 else None
        barrier.wait()
        admitted[thread] = sum(limiter.check("hot", quota=quota).allowed for _ in range(600))

    threads = [threading.Thread(target=hammer, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(admitted) == 500
    assert sum(admitted[::2]) <= 300


def test_who_waits_is_decided_by_the_quota_of_the_last_call() -> None:
    async def main() -> None:
        limiter = SlidingWindowRateLimiter("1/hour")
        assert limiter.check("u")
        waiting = asyncio.ensure_future(limiter.wait("u"))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert not limiter.check("u", quota=Quota("2/hour")), "one waits before it"
        assert await asyncio.wait_for(waiting, 5)
        assert limiter.check("u", quota="3/hour")

    asyncio.run(main())


def test_a_smaller_quota_in_between_has_nothing_forgotten() -> None:
    bucket = TokenBucket("100/second burst 500", clock=ManualClock())
    assert bucket.check("u", 500)
    small = Quota("1/second burst 2")
    for _ in range(3):
        assert not bucket.check("u", quota=small)
        assert not bucket.check("u")
    assert bucket.peek("u", quota=small).retry_after == 499


def test_memory_goes_when_the_keys_go() -> None:
    clock = ManualClock()
    limiter = FixedWindow("5/minute", clock=clock)
    for amount in range(1_000):
        assert limiter.check(f"user:{amount}", quota=Quota(amount + 1, 60))
    assert len(limiter) == 1_000
    clock.advance(60)
    for amount in range(1_000):
        assert (
            limiter.check(f"new:{amount}", quota=Quota(amount + 5_000, 60)).limit == amount + 5_000
        )
    assert len(limiter) <= 1_100
    assert limiter.statistics().defaulted == 0


@pytest.mark.parametrize("kind", [*WINDOWS, TokenBucket])
def test_a_cost_above_what_new_keys_share_waits_for_all_of_that(kind: Any) -> None:
    limiter = kind("5/minute", clock=ManualClock(), max_keys=1, overflow="share")
    limiter.check("held")
    assert limiter.check("new", 8, quota="9/minute").limit == 5
    refusal = limiter.check("new", 8, quota="9/minute")
    assert not refusal
    assert refusal.retry_after == limiter.peek("new", 5).retry_after
    assert limiter.wait_sync("new", 8, quota="9/minute", timeout=0) == refusal


@pytest.mark.parametrize("kind", [*WINDOWS, TokenBucket])
def test_beyond_the_most_quotas_a_receipt_is_of_what_the_limiters_own_took(kind: Any) -> None:
    limiter = kind("5/minute", clock=ManualClock())
    for amount in range(1, 65_537):
        limiter.check(str(amount), quota=Quota(amount, 60))
    decision = limiter.check("new", 100_000, quota="100000/minute")
    assert (decision.limit, decision.remaining) == (5, 0)
    refusal = limiter.check("new", 100_000, quota="100000/minute")
    assert refusal.retry_after == limiter.peek("new", 5).retry_after
    assert limiter.check("new", 3, quota="9/minute")
    limiter.refund("new", decision)
    assert limiter.peek("new", quota="9/minute").remaining <= 6, "somebody else's units"
    with pytest.raises(ValueError, match="all that it spent, 5, was given back"):
        limiter.refund("new", decision)


@pytest.mark.parametrize("kind", [*WINDOWS, TokenBucket])
@pytest.mark.parametrize("cost", [3, 8])
def test_who_waits_for_what_new_keys_share_is_planned_by_that(kind: Any, cost: int) -> None:
    async def main() -> None:
        limiter = kind("5/minute", clock=ManualClock(), max_keys=1, overflow="share")
        limiter.check("held")
        assert limiter.check("new", 5)
        waiting = [
            asyncio.create_task(limiter.wait("new", cost, quota="9/minute")) for _ in range(3)
        ]
        await asyncio.sleep(0)
        for_all = limiter.peek("new", min(cost, 5), quota="9/minute").retry_after
        assert 60 < for_all <= 480, "each of the four waits for all of two windows at most"
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(main())
