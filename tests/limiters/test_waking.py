"""Wake-ups that fail: the place is kept, the caller sees the error, and nobody is lost."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from forking import needs_fork, program_that_forks
from polling import until
from sluicegate import ConcurrencyLimiter, FixedWindow, ManualClock, TokenBucket
from sluicegate._core import Bells, Ticket
from sluicegate._support.waiting import in_line as _waiting
from sluicegate._support.waiting import timer as _timer

T = TypeVar("T")


def ran(main: Any, loop: asyncio.AbstractEventLoop | None = None) -> Any:
    loop = asyncio.new_event_loop() if loop is None else loop
    try:
        return loop.run_until_complete(asyncio.wait_for(main, 60))
    finally:
        loop.close()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def from_the_bottom(work: Callable[[], T]) -> T:
    """Try at every depth, from the deepest that there is, until it is not too deep any more."""
    try:
        return from_the_bottom(work)
    except RecursionError:
        return work()


class Quick(asyncio.SelectorEventLoop):
    """As uvloop: what is due at once is no timer, and does not know when."""

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        if when - self.time() < 0.005:
            return self.call_soon(callback, *args, context=context)
        return super().call_at(when, callback, *args, context=context)


def uvloop() -> asyncio.AbstractEventLoop:
    loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
    return loop


@pytest.mark.parametrize("new_loop", [Quick, uvloop])
def test_waits_shorter_than_a_timer_can_be(
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    bucket = TokenBucket(capacity=1, refill_rate=5_000)

    async def main() -> None:
        assert all(await asyncio.gather(*[bucket.wait("k") for _ in range(200)]))
        alarm = _waiting._alarm(asyncio.get_running_loop())
        assert (alarm.timer._timed, alarm.timer._due, alarm.timer._timer) == (set(), [], None)

    ran(main(), new_loop())
    assert bucket.statistics().admitted == 200


class Failing(asyncio.SelectorEventLoop):
    """Has no timers while ``fails``."""

    fails = False

    def call_at(self, *args: Any, **kwargs: Any) -> asyncio.TimerHandle:
        if self.fails:
            raise ZeroDivisionError
        return super().call_at(*args, **kwargs)


def test_a_timer_that_cannot_be_made_is_seen_and_leaves_nothing() -> None:
    bucket = TokenBucket(capacity=1, refill_rate=50)
    loop = Failing()

    async def main() -> None:
        bucket.check("k")
        alarm = _waiting._alarm(loop)
        for _ in range(3):
            Failing.fails = True
            with pytest.raises(ZeroDivisionError):
                await bucket.wait("k")
            Failing.fails = False
            assert (alarm.timer._timed, alarm.timer._due, alarm.timer._timer) == (set(), [], None)
        assert await bucket.wait("k")

    try:
        ran(main(), loop)
    finally:
        Failing.fails = False
    assert bucket.statistics().admitted == 2


def test_near_the_recursion_limit_nobody_is_lost(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 1000, clock=clock)
    keys = [str(number) for number in range(66)]

    async def main() -> None:
        limiter.is_allowed_many(keys)
        tasks = [asyncio.ensure_future(limiter.wait(key)) for key in keys]
        await settle()
        for key in keys:
            from_the_bottom(lambda key=key: limiter.reset(key))  # type: ignore[misc]
        assert all(await asyncio.gather(*tasks))

    ran(main())
    assert limiter.statistics().admitted == 132


@contextmanager
def interrupting() -> Iterator[None]:
    """As signals whose handler raises, each time just before a waiter is rung."""
    ring, calls = _waiting.Waiter.ring_here, 0

    def interrupted(waiter: _waiting.Waiter) -> None:
        nonlocal calls
        calls += 1
        if calls % 3 == 1:
            raise KeyboardInterrupt
        ring(waiter)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_waiting.Waiter, "ring_here", interrupted)
        yield


def served_in_spite_of_it(
    loop: asyncio.AbstractEventLoop, tasks: list[asyncio.Task[Any]], change: Callable[[], object]
) -> int:
    """How often the loop was interrupted until all tasks were done."""

    async def all_done() -> None:
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.001)

    with interrupting():
        change()
        for interruptions in range(1_000):
            try:
                loop.run_until_complete(asyncio.wait_for(all_done(), 30))
            except KeyboardInterrupt:
                continue
            finally:
                for left in asyncio.all_tasks(loop) - set(tasks):
                    left.cancel()
            assert all(task.result() for task in tasks)
            loop.run_until_complete(asyncio.sleep(0))
            loop.close()
            return interruptions
    raise TimeoutError


def test_a_signal_in_the_middle_of_ringing_loses_nobody(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 1000, clock=clock)
    keys = [str(number) for number in range(66)]
    loop = asyncio.new_event_loop()
    limiter.is_allowed_many(keys)
    tasks = [loop.create_task(limiter.wait(key)) for key in keys]
    loop.run_until_complete(settle())
    assert served_in_spite_of_it(loop, tasks, limiter.clear) >= 22


def test_a_signal_in_the_middle_of_a_timer_loses_nobody() -> None:
    limiter = TokenBucket(capacity=1, refill_rate=5)
    keys = [str(number) for number in range(30)]
    loop = asyncio.new_event_loop()
    limiter.is_allowed_many(keys)
    tasks = [loop.create_task(limiter.wait(key)) for key in keys]
    loop.run_until_complete(asyncio.sleep(0))
    assert served_in_spite_of_it(loop, tasks, lambda: None) >= 1


def test_a_timer_that_was_lost_is_made_up_for_by_who_comes_next() -> None:
    """As by a signal that comes before the first step of what the timer calls."""
    limiter = TokenBucket(capacity=1, refill_rate=20)
    keys = [str(number) for number in range(5)]
    loop = asyncio.new_event_loop()
    limiter.is_allowed_many(keys)
    tasks = [loop.create_task(limiter.wait(key)) for key in keys]
    loop.run_until_complete(asyncio.sleep(0))

    async def next_one() -> None:
        await asyncio.sleep(_timer._LOST * 2)
        limiter.check("next")
        assert await limiter.wait("next")
        assert all(await asyncio.gather(*tasks))

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_timer.Timer, "_go_off", interrupted)
        # Made before, as the timer has its method already.
        timer = _waiting._alarm(loop).timer
        assert timer._timer is not None
        timer._timer.cancel()
        timer._arm(loop, loop.time())
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(asyncio.sleep(30))
    for left in asyncio.all_tasks(loop) - set(tasks):
        left.cancel()
    ran(next_one(), loop)


def test_a_place_that_is_dropped_keeps_the_exception_that_is_raised(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 1000, clock=clock)
    bells = Bells()
    limiter.check("k")

    def places() -> Iterator[Ticket]:
        for number in (1, 2):
            place = limiter._enqueue("k", 1, None, None, bells, number)
            assert isinstance(place, Ticket)
            yield place
        raise ValueError("kept")

    behind: list[Ticket] = []
    with pytest.raises(ValueError, match="kept"):
        behind += list(places())  # drops its list, with both places, while the error is set
    third = limiter._enqueue("k", 1, None, None, bells, 3)
    assert isinstance(third, Ticket)
    limiter.reset("k")
    assert 3 in bells.rung()
    assert third.poll()


def test_dropping_runs_no_python_code(clock: ManualClock) -> None:
    """Whatever it wakes: a profiler sees no function begin."""
    limiter = FixedWindow(1, 1000, clock=clock)
    permits = ConcurrencyLimiter(1)

    async def main() -> None:
        limiter.check("k")
        first = limiter._enqueue("k", 1, None, None, Bells(), 1)
        second = asyncio.ensure_future(limiter.wait("k"))
        held = permits.try_acquire("k")
        entered = asyncio.ensure_future(permits.permit("k", timeout=None).__aenter__())
        await settle()
        limiter.reset("k")
        begun: list[object] = []
        sys.setprofile(lambda frame, event, _: begun.append(frame) if event == "call" else None)
        del first, held
        sys.setprofile(None)
        assert begun == []
        assert await second
        assert (await entered).held

    ran(main())


def test_permits_near_the_recursion_limit() -> None:
    limiter = ConcurrencyLimiter(1)

    async def main() -> None:
        for _ in range(20):
            held = [limiter.try_acquire("k")]

            async def enter() -> None:
                async with limiter.permit("k", timeout=None):
                    pass

            tasks = [asyncio.ensure_future(enter()) for _ in range(3)]
            await settle()
            assert limiter._waiting("k") == 3
            from_the_bottom(lambda held=held: held[0].release())  # type: ignore[misc,union-attr]
            await asyncio.gather(*tasks)
            assert len(limiter) == 0
            # Dropped there, it is given back as well.
            held[0] = limiter.try_acquire("k")
            from_the_bottom(held.clear)
            assert len(limiter) == 0
            # Taken there, it is held or not.
            permit = from_the_bottom(lambda: limiter.try_acquire("k"))
            assert permit is not None
            assert limiter.in_use("k") == 1
            permit.release()
            assert len(limiter) == 0

    ran(main())


_SIGNALS = """
import faulthandler, signal
from sluicegate import ConcurrencyLimiter, RateLimitError

faulthandler.dump_traceback_later(60, exit=True)
limiter, taken, kept = ConcurrencyLimiter(3), 0, []
def handle(*_):
    global taken
    permit = limiter.try_acquire("k")
    if permit is not None:
        taken += 1
        kept.append(permit)
    if len(kept) > 1:
        kept.pop(0).release()
signal.signal(signal.SIGALRM, handle)
signal.setitimer(signal.ITIMER_REAL, 0.0002, 0.0002)
while taken < 2_000:
    try:
        with limiter.permit("k") as permit:
            assert permit.held
    except RateLimitError:
        pass
signal.setitimer(signal.ITIMER_REAL, 0)
assert limiter.in_use("k") == len(kept)
kept.clear()
assert len(limiter) == 0
"""


@needs_fork
def test_a_signal_handler_may_take_and_release_permits() -> None:
    program_that_forks(_SIGNALS)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer signals")
def test_signals_that_raise_beside_rings_lose_nobody(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 1000, clock=clock)
    keys = [str(number) for number in range(50)]
    limiter.is_allowed_many(keys)
    served: list[str] = []

    def wait_for_all() -> None:
        async def one(key: str) -> None:
            assert await limiter.wait(key)
            served.append(key)

        async def every() -> None:
            await asyncio.gather(*map(one, keys))

        ran(every())

    class RaisedError(Exception):
        pass

    def handle(*_: object) -> None:
        raise RaisedError

    thread = threading.Thread(target=wait_for_all)
    thread.start()
    until(lambda: all(limiter.peek(key).retry_after > 1000 for key in keys), "all wait")
    before, raised = signal.signal(signal.SIGALRM, handle), 0
    try:
        for key in keys:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0.0003)
                while True:
                    limiter.reset(key)
            except RaisedError:
                raised += 1
            limiter.reset(key)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    thread.join(30)
    assert not thread.is_alive()
    assert sorted(served) == sorted(keys)
    assert raised == len(keys)


def test_a_loop_that_is_closed_gives_its_descriptors_back(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 1000, clock=clock)

    async def main() -> int:
        limiter.clear()
        limiter.check("k")
        task = asyncio.ensure_future(limiter.wait("k"))
        await settle()
        limiter.reset("k")
        await task
        return _waiting._alarm(asyncio.get_running_loop()).bells.fileno()

    gc.disable()  # not only when it is collected
    try:
        assert len({ran(main()) for _ in range(50)}) < 50
    finally:
        gc.enable()
