"""Waiting: one queue a key for threads and coroutines, and nothing spent by who leaves."""

from __future__ import annotations

import asyncio
import gc
import math
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from sluicegate import (
    Decision,
    FixedWindow,
    ManualClock,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate._core import Bells
from sluicegate.testing import limits_off

T = TypeVar("T")


_uvloop = False


@pytest.fixture(autouse=True, params=["asyncio", "uvloop"])
def _loops(request: pytest.FixtureRequest) -> None:
    """Each test in both kinds of event loop."""
    global _uvloop
    _uvloop = request.param == "uvloop"


def new_loop() -> asyncio.AbstractEventLoop:
    if _uvloop:
        module = pytest.importorskip("uvloop")
        loop: asyncio.AbstractEventLoop = module.new_event_loop()
        return loop
    return asyncio.new_event_loop()


def run(main: Coroutine[Any, Any, T]) -> T:
    loop = new_loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(main, 60))
    finally:
        loop.close()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def until(done: Callable[[], bool]) -> None:
    """Let other threads' wake-ups arrive."""
    while not done():
        await asyncio.sleep(0.001)


def test_first_come_first_served(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    order: list[int] = []

    async def one(name: int) -> None:
        assert await bucket.wait("k")
        order.append(name)

    async def main() -> None:
        tasks = [asyncio.ensure_future(one(name)) for name in range(20)]
        await settle()
        assert order == [0]
        for served in range(2, 21):
            assert not bucket.check("k"), "a plain check does not overtake"
            clock.advance(1)
            await until(lambda served=served: len(order) == served)  # type: ignore[misc]
        await asyncio.gather(*tasks)
        assert order == list(range(20))

    run(main())


def test_a_real_clock_serves_in_time() -> None:
    bucket = TokenBucket(capacity=1, refill_rate=100)

    async def main() -> None:
        start = time.monotonic()
        assert all(await asyncio.gather(*[bucket.wait("k") for _ in range(11)]))
        assert time.monotonic() - start >= 0.1

    run(main())
    assert bucket.statistics().admitted == 11


def test_too_short_a_timeout_is_refused_at_once(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)

    async def main() -> None:
        assert await bucket.wait("k", timeout=0)
        refused = await bucket.wait("k", timeout=0.999)
        assert not refused
        assert refused.retry_after == 1.0
        waiting = asyncio.ensure_future(bucket.wait("k", timeout=1))
        await settle()
        behind = await bucket.wait("k", timeout=1.999)
        assert (behind.allowed, behind.retry_after, behind.remaining) == (False, 2.0, 0)
        clock.advance(1)
        assert await waiting

    run(main())
    assert (bucket.statistics().admitted, bucket.statistics().refused) == (2, 2)


def test_cancelled_waiters_spend_nothing_and_the_others_move_up(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)

    async def main() -> None:
        await bucket.wait("k")
        tasks = [asyncio.ensure_future(bucket.wait("k")) for _ in range(5)]
        await settle()
        for task in tasks[:4]:
            task.cancel()
        await settle()
        clock.advance(1)
        assert await tasks[4]
        clock.advance(1)
        assert bucket.check("k")

    run(main())
    assert bucket.statistics().admitted == 3


@pytest.mark.parametrize("steps", range(8))
def test_cancelling_at_every_step_spends_once_or_not_at_all(clock: ManualClock, steps: int) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)

    async def main() -> None:
        await bucket.wait("k")
        task = asyncio.ensure_future(bucket.wait("k"))
        await settle()
        clock.advance(1)
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        try:
            admitted = (await task).allowed
        except asyncio.CancelledError:
            admitted = False
        assert bucket.peek("k").allowed is not admitted

    run(main())


def test_a_coroutine_that_is_dropped_leaves_the_queue(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    bucket.check("k")

    async def main() -> None:
        waiting = bucket.wait("k")
        waiting.send(None)
        clock.advance(1)
        assert not bucket.check("k")
        waiting.close()
        del waiting
        gc.collect()
        assert bucket.check("k")

    run(main())


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts the timers that are made for it."""

    timers = 0

    def call_at(self, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(*args, **kwargs)


@pytest.mark.parametrize("keys", [1, 10_000])
def test_ten_thousand_waiters_do_not_cost_ten_thousand_timers(keys: int) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=0.001)
    loop = CountingLoop()

    async def main() -> None:
        bucket.is_allowed_many([f"{n}" for n in range(keys)])
        tasks = [asyncio.ensure_future(bucket.wait(f"{n % keys}")) for n in range(10_000)]
        await settle()
        timers = loop.timers
        assert timers < 100
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert loop.timers < 200

    try:
        loop.run_until_complete(main())
    finally:
        loop.close()
    assert bucket.statistics().admitted == keys


def test_threads_and_coroutines_share_the_queue(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    order: list[str] = []
    bucket.check("k")

    def blocked() -> None:
        assert bucket.wait_sync("k")
        order.append("thread")

    async def line_up(name: str) -> None:
        assert await bucket.wait("k")
        order.append(name)

    async def main() -> None:
        first = asyncio.ensure_future(line_up("task 1"))
        await settle()
        thread = threading.Thread(target=blocked)
        thread.start()
        # With one ahead of it, its turn comes in 2 seconds; then the next one's in 3.
        await until(lambda: bucket.peek("k").retry_after == 3.0)
        second = asyncio.ensure_future(line_up("task 2"))
        await settle()
        for served in (1, 2, 3):
            clock.advance(1)
            await until(lambda served=served: len(order) == served)  # type: ignore[misc]
        await asyncio.gather(first, second)
        thread.join(10)
        assert not thread.is_alive()

    run(main())
    assert order == ["task 1", "thread", "task 2"]


def test_many_threads_wait_and_each_is_served(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    served: list[Decision] = []
    threads = [
        threading.Thread(target=lambda: served.append(bucket.wait_sync("k"))) for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        clock.advance(0.25)
        time.sleep(0.0005)
    assert len(served) == 16
    assert all(served)
    assert clock.time() >= 15


def test_wait_sync_lets_other_threads_run() -> None:
    bucket = TokenBucket(capacity=1, refill_rate=5)
    bucket.check("k")
    turns = 0
    waiting = threading.Thread(target=bucket.wait_sync, args=("k",))
    waiting.start()
    while waiting.is_alive():
        turns += 1
    assert turns > 1_000


def test_wait_sync_gives_up_at_once_or_in_time(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    assert bucket.wait_sync("k", timeout=0)
    assert not bucket.wait_sync("k", timeout=0.5)
    assert not bucket.wait_sync("k", 1, 0.999999)


def test_ctrl_c_leaves_the_queue() -> None:
    bucket = TokenBucket(capacity=1, refill_rate=0.001)
    bucket.check("k")
    main_thread = threading.main_thread().ident
    assert main_thread is not None
    timer = threading.Timer(0.1, signal.pthread_kill, (main_thread, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        bucket.wait_sync("k")
    timer.join()
    bucket.reset("k")
    assert bucket.check("k")


def test_a_change_reaches_those_who_wait(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=0.001, clock=clock)
    changes: list[Callable[[], None]] = [
        lambda: bucket.refund("k"),
        lambda: bucket.reset("k"),
        bucket.clear,
        lambda: bucket.set_quota(capacity=2, refill_rate=0.001),
    ]

    async def main() -> None:
        for change in changes:
            bucket.clear()
            bucket.check("k")
            task = asyncio.ensure_future(bucket.wait("k"))
            await settle()
            change()
            assert await task

    run(main())


def test_a_quota_that_no_longer_fits_is_an_error_for_its_waiter(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=5, refill_rate=1, clock=clock)

    async def main() -> None:
        bucket.check("k", 5)
        task = asyncio.ensure_future(bucket.wait("k", 4))
        await settle()
        bucket.set_quota(capacity=3, refill_rate=1)
        with pytest.raises(ValueError, match="cost must be"):
            await task

    run(main())


def test_loops_in_turn_and_at_once(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=200)
    for _ in range(5):
        run(bucket.wait("k"))
    threads = [threading.Thread(target=lambda: run(bucket.wait("k"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert bucket.statistics().admitted == 13


def test_a_closed_loop_hurts_nobody(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    bucket.check("k")
    loop = new_loop()
    waiting = bucket.wait("k")
    task = loop.create_task(waiting)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    clock.advance(1)  # wakes a waiter whose loop is gone
    assert bucket.check("k")
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    waiting.close()


def test_a_waiter_of_a_closed_loop_does_not_hold_up_another_loops(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=50)  # the real clock, which tells nobody
    bucket.check("k")
    loop = new_loop()
    lost = [bucket.wait("k") for _ in range(3)]
    tasks = [loop.create_task(waiting) for waiting in lost]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def later() -> Decision:
        return await bucket.wait("k", timeout=10)

    assert run(later())
    assert bucket.wait_sync("k", timeout=10)
    for task, waiting in zip(tasks, lost, strict=True):
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        waiting.close()


def test_a_loop_that_was_dropped_in_the_middle_of_a_wait_is_collected(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=0.001)
    bucket.check("k")
    loop = new_loop()
    task = loop.create_task(bucket.wait("k"))
    loop.run_until_complete(asyncio.sleep(0))
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.close()
    dead = weakref.ref(loop)
    del loop, task
    gc.collect()
    assert dead() is None
    bucket.reset("k")
    assert bucket.check("k")


def test_a_thread_does_not_wait_behind_its_own_loop(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)

    async def main() -> None:
        bucket.check("k")
        first = asyncio.ensure_future(bucket.wait("k"))
        await settle()
        with pytest.raises(RuntimeError, match=r"await limiter\.wait"):
            bucket.wait_sync("k")
        clock.advance(1)
        assert await first

    run(main())
    assert not bucket.check("k"), "nothing else was spent"


@pytest.mark.parametrize("timeout", [-1, -0.001, -(10**400), math.nan, 2e9, "1", True])
def test_bad_timeouts(clock: ManualClock, timeout: Any) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    with pytest.raises((ValueError, TypeError), match="timeout must be"):
        bucket.wait_sync("k", timeout=timeout)
    with pytest.raises((ValueError, TypeError), match="timeout must be"):
        run(bucket.wait("k", timeout=timeout))
    assert bucket.check("k")


def test_endless_timeouts(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    assert bucket.wait_sync("a", timeout=None)
    assert bucket.wait_sync("b", timeout=math.inf)


def test_limits_off_never_waits(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    with limits_off():
        for _ in range(3):
            assert run(bucket.wait("k"))
            assert bucket.wait_sync("k")


def test_reading_the_config_while_waiters_are_woken_does_not_block() -> None:
    code = (
        "import asyncio, threading\n"
        "from sluicegate import TokenBucket\n"
        "b = TokenBucket(capacity=1, refill_rate=0.001)\n"
        "async def main():\n"
        "    b.check('k')\n"
        "    task = asyncio.ensure_future(b.wait('k'))\n"
        "    await asyncio.sleep(0)\n"
        "    done = threading.Event()\n"
        "    def change():\n"
        "        for _ in range(50): b.set_quota(capacity=1, refill_rate=0.001)\n"
        "        done.set()\n"
        "    def read():\n"
        "        while not done.is_set(): b.config\n"
        "    await asyncio.gather(asyncio.to_thread(change), asyncio.to_thread(read))\n"
        "    task.cancel()\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_plan_made_under_an_old_quota_is_never_read(clock: ManualClock) -> None:
    limiter = SlidingWindowRateLimiter(3, 60, clock=clock)
    names = [f"{n}" for n in range(50)]
    done = threading.Event()

    def toggle() -> None:
        for n in range(60):
            limiter.set_quota(3, 5000 if n % 2 else 60)
        done.set()

    def look() -> None:
        while not done.is_set():
            for name in names:
                assert 0 < limiter.check(name).retry_after <= 10_000

    async def main() -> None:
        limiter.is_allowed_many(names, cost=3)
        tasks = [asyncio.ensure_future(limiter.wait(name)) for name in names * 2]
        await settle()
        # In threads: a loop that never sleeps leaves no other thread the interpreter's lock.
        await asyncio.gather(asyncio.to_thread(toggle), asyncio.to_thread(look))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run(main())


def test_a_place_that_is_dropped_leaves_the_queue(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=1, clock=clock)
    bucket.check("k")
    bells = Bells()
    place = bucket._enqueue("k", 1, None, None, bells, 7)
    clock.advance(1)
    assert bells.rung() == [7]
    assert not bucket.check("k")
    del place
    assert bucket.check("k")


def test_a_deadline_is_kept_behind_a_waiter_that_is_stuck(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 10, clock=clock)

    async def main() -> None:
        limiter.check("k")
        first = asyncio.ensure_future(limiter.wait("k"))
        second = asyncio.ensure_future(limiter.wait("k", timeout=25))
        await settle()
        limiter.set_quota(1, 1000)
        clock.advance(30)
        assert not await second
        first.cancel()

    run(main())
