"""A limiter that holds as many keys as it may: looks, and those who wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from running import run
from sluicegate import (
    Decision,
    FixedWindow,
    Limiter,
    ManualClock,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

LONG_BEFORE_THE_SHARED_QUOTA = 25
"""Seconds, where it has none left for a minute."""

MAKERS: list[Callable[[ManualClock], Limiter]] = [
    lambda clock: FixedWindow(1, 10, max_keys=1, clock=clock),
    lambda clock: SlidingWindowRateLimiter(1, 10, max_keys=1, clock=clock),
    lambda clock: SegmentedWindow(1, 10, max_keys=1, clock=clock),
    lambda clock: SlidingWindowCounter(1, 10, max_keys=1, clock=clock),
    lambda clock: TokenBucket(capacity=1, refill_rate=0.1, max_keys=1, clock=clock),
]


@pytest.mark.parametrize("make", MAKERS)
def test_a_look_promises_what_a_check_then_does(make: Callable[[ManualClock], Limiter]) -> None:
    clock = ManualClock()
    limiter = make(clock)
    assert limiter.check("held")
    clock.advance(9.5)
    limiter.check("by the shared quota")
    if isinstance(limiter, SlidingWindowRateLimiter):
        assert limiter.get_remaining("new") == 0
    assert not limiter.peek("new")
    counts_for = {SlidingWindowCounter: 20, SegmentedWindow: 10 + 10 / 60}
    clock.advance(counts_for.get(type(limiter), 10) - 9.5)
    if isinstance(limiter, SlidingWindowRateLimiter):
        assert limiter.get_remaining("new") == 1
    assert limiter.peek("new")
    assert limiter.peek("newer")
    assert limiter.statistics().admitted == 2
    assert limiter.check("new")
    assert not limiter.peek("newer") or limiter.check("newer")


def crowded(held: int) -> TokenBucket:
    """A key that has spent ``held`` of 600 takes the only room; the shared quota has none left."""
    limiter = TokenBucket(capacity=600, refill_rate=10, max_keys=1)
    assert limiter.check("held", held)
    assert limiter.check("by the shared quota", 600)
    return limiter


def test_a_coroutine_takes_the_room_of_a_key_that_goes_idle() -> None:
    async def main() -> None:
        limiter = crowded(1)
        waited = limiter.wait("new", 600)
        assert await asyncio.wait_for(waited, LONG_BEFORE_THE_SHARED_QUOTA)
        assert limiter.statistics().keys == 1

    run(main())


def test_a_thread_takes_the_room_of_a_key_that_goes_idle() -> None:
    limiter = crowded(1)
    said: list[Decision] = []
    thread = threading.Thread(
        target=lambda: said.append(limiter.wait_sync("new", 600)), daemon=True
    )
    thread.start()
    thread.join(LONG_BEFORE_THE_SHARED_QUOTA)
    assert [decision.allowed for decision in said] == [True]


@pytest.mark.parametrize("verb", ["reset", "refund", "clear"])
def test_room_that_is_made_is_taken_at_once(verb: str) -> None:
    make: dict[str, Callable[[TokenBucket], None]] = {
        "reset": lambda limiter: limiter.reset("held"),
        "refund": lambda limiter: limiter.refund("held", 600),
        "clear": lambda limiter: limiter.clear(),
    }

    async def main() -> None:
        limiter = crowded(600)
        waiting = [asyncio.ensure_future(limiter.wait(key, 600)) for key in ("a", "b")]
        await asyncio.sleep(0)
        make[verb](limiter)
        done, late = await asyncio.wait(
            waiting,
            timeout=LONG_BEFORE_THE_SHARED_QUOTA,
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert done
        assert all(task.result() for task in done)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    run(main())
