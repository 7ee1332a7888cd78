"""Who waits on one event loop, or in one process, is not in the way of another's."""

from __future__ import annotations

import asyncio
import gc
import inspect
import math
import random
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from redis_programs import program, run
from redis_servers import Server
from sluicegate import TokenBucketConfig
from sluicegate._connection import bridge as _redis_bridge
from sluicegate._connection import places
from sluicegate._connection.line import Line
from sluicegate._support.per_loop import PerLoop
from sluicegate.redis import ConcurrencyLimiter, TokenBucket


def test_several_loops_wait_for_one_key(redis_server: Server) -> None:
    limiter = TokenBucket(redis_server.url, TokenBucketConfig(1, 50))
    ends: list[object] = []

    async def some() -> int:
        return sum([bool(await asyncio.wait_for(limiter.wait("a"), 5)) for _ in range(5)])

    def one() -> None:
        try:
            ends.append(run(some()))
        except Exception as error:
            ends.append(error)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [5, 5, 5]


@pytest.mark.parametrize("seed", range(20))
def test_a_line_lets_go_whom_the_obvious_one_does(seed: int) -> None:
    chance = random.Random(seed)
    line = Line()
    deadlines: dict[int, float] = {}
    left = set[int]()
    for number in range(600):
        step = chance.random()
        if step < 0.5 or not deadlines:
            deadlines[number] = chance.choice([math.inf, chance.uniform(0, 100)])
            line.enter(number, deadlines[number])
        elif step < 0.6:
            free_at = chance.uniform(0, 100)
            late = {n for n, deadline in deadlines.items() if deadline < free_at}
            assert set(line.tell(free_at, free_at)) == late
        elif step < 0.7 and left:
            again = left.pop()  # it is before those who came later
            deadlines[again] = math.inf
            line.enter(again, math.inf)
        else:
            gone = chance.choice([min(deadlines), chance.choice(list(deadlines))])
            was_first = gone == min(deadlines)
            line.leave(gone)
            left.add(gone)
            del deadlines[gone]
            assert line.free_at == -math.inf or not was_first
        assert line.numbers == sorted(deadlines)
        assert line.at(0) == min(deadlines, default=None)
        assert all((n in line) is (n in deadlines) for n in range(number + 2))


@pytest.mark.parametrize("stays", [math.inf, 0.5, 2.0])
def test_many_who_have_left_leave_nothing(stays: float) -> None:
    line = Line()
    line.enter(0, stays)
    most = 0
    for number in range(1, 100_001):
        line.enter(number, 1 + number / 1e6)
        if number > 10:
            line.leave(number - 10)
        most = max(most, sys.getsizeof(line._soonest))
    for number in range(99_990, 100_001):
        line.leave(number)
    assert most < 1_000
    assert line.numbers == [0]
    assert line.tell(math.inf, math.inf) == ([0] if stays < math.inf else [])
    line.leave(0)
    assert not line.deadlines
    assert not line._soonest


def test_who_enters_while_others_are_forgotten_is_known() -> None:
    """A thread is interrupted there; as nobody can choose the moment, the copy says when it is."""
    line = Line()

    class Deadlines(dict[int, float]):
        def copy(self) -> dict[int, float]:
            copied = dict(self)
            if not comes:
                comes.append(5)
                line.enter(5, 5.0)
            return copied

    comes: list[int] = []
    line.deadlines = Deadlines()
    for number in range(1, 4):
        line.enter(number, float(number))
    line.leave(1)
    line.leave(2)
    assert comes
    assert line.tell(9.0, 9.0) == [3, 5]


def at_depth(depth: int, call: Callable[[], object]) -> None:
    if depth:
        return at_depth(depth - 1, call)
    call()
    return None


@pytest.mark.parametrize("kind", ["wait", "permit"])
def test_those_behind_one_that_could_not_leave_come_first(
    kind: str, redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is closed by hand where the stack has room for some calls, and for others not."""
    monkeypatch.setattr(places, "_LOOKS_AFTER", 0.05)
    permits = ConcurrencyLimiter(redis_server.url, 1, timeout=20)
    bucket = TokenBucket(redis_server.url, TokenBucketConfig(1, 1_000), timeout=20)

    def go(key: str) -> Any:
        entry = permits.permit(key, timeout=None)
        return entry.__aenter__() if kind == "permit" else bucket.wait(key)

    async def main() -> int:
        failed = 0
        for depth in range(sys.getrecursionlimit() - 90, sys.getrecursionlimit()):
            key = str(depth)
            held = await permits.try_acquire(key)
            assert held is not None
            first = go(key)
            first.send(None)
            second = asyncio.ensure_future(go(key))
            await asyncio.sleep(0)
            try:
                at_depth(depth - len(inspect.stack(0)), first.close)
            except RecursionError:
                failed += 1
            del first  # too near the limit, it is closed only now
            await held.release()
            got = await asyncio.wait_for(second, 20)
            if kind == "permit":
                await got.release()
        return failed

    failed = run(main())
    print(f"{failed} of 90 were closed too near the recursion limit")
    assert failed


LOOPS = """
import asyncio, sys, threading
from sluicegate.redis import ConcurrencyLimiter, FixedWindow
sys.setswitchinterval(1e-6)
window = FixedWindow(sys.argv[1], 1_000_000, 1e9, timeout=30, on_error="raise")
permits = ConcurrencyLimiter(sys.argv[1], 1_000, lease_seconds=60, timeout=30, on_error="raise")
async def both(loop, name):
    assert await window.wait(name)
    async with permits.permit(name, timeout=None):
        pass
    if name == "0":  # one that is closed while somebody waits in it
        task = loop.create_task(window.wait("full"))
        task._log_destroy_pending = False
        await asyncio.sleep(0)
def work(name):
    try:
        for _ in range(60):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(both(loop, name))
            loop.close()
    except BaseException as error:
        ends.append(repr(error))
ends = []
threads = [threading.Thread(target=work, args=(str(n),)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(ends or "fine")
"""


def test_threads_come_and_go_with_loops_of_their_own(redis_server: Server) -> None:
    assert program(LOOPS, redis_server.url) == "fine\n"


class Loop:
    """As much of an event loop as is asked of one; garbage only to the collector."""

    def __init__(self) -> None:
        self.itself = self

    def is_closed(self) -> bool:
        return False

    def add_reader(self, *_: object) -> None: ...


class Nothing:
    def fileno(self) -> int:
        return -1

    def abandon(self) -> None: ...


def test_loops_may_be_collected_while_another_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: PerLoop[str] = PerLoop()
    monkeypatch.setattr(_redis_bridge, "Bridge", Nothing)
    for come in (lambda loop: made.here(loop, str), _redis_bridge.bridge_of):
        gc.collect()
        thresholds = gc.get_threshold()
        try:
            gc.set_threshold(10**6)
            for _ in range(3_000):
                come(Loop())  # type: ignore[arg-type]
            # In the midst of what the next one does: there are 2,000 spare tuples.
            gc.set_threshold(gc.get_count()[0] + 500)
            come(Loop())  # type: ignore[arg-type]
        finally:
            gc.set_threshold(*thresholds)
            gc.collect()
    assert not made.all()


CLOSED = """
import asyncio, gc, sys
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 1, 1e9)
async def begin():
    await limiter.check("a")
    task = asyncio.ensure_future(limiter.wait("a"))
    task._log_destroy_pending = False
    await asyncio.sleep(0.05)
loop = asyncio.new_event_loop()
loop.run_until_complete(begin())
loop.close()
del loop
gc.collect()
async def again():
    await limiter.reset("a")
    assert await limiter.wait("a", timeout=1), "still in line"
asyncio.run(again())
print("fine")
"""


def test_a_closed_loop_leaves_no_line_behind(redis_server: Server) -> None:
    assert program(CLOSED, redis_server.url) == "fine\n"


FORKED = """
import asyncio, os, sys
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 1, 1e9)
async def parent():
    await limiter.check("a")
    task = asyncio.ensure_future(limiter.wait("a"))
    await asyncio.sleep(0.05)
    child = os.fork()
    if child == 0:
        return task
    status = await asyncio.to_thread(os.waitpid, child, 0)
    task.cancel()
    print("fine" if status[1] == 0 else "stuck")
async def inherited():
    await limiter.reset("a")
    return await limiter.wait("a", timeout=1)
loop = asyncio.new_event_loop()
task = loop.run_until_complete(parent())
if task:
    ok = []
    import threading
    thread = threading.Thread(target=lambda: ok.append(asyncio.run(inherited())))
    thread.start()
    thread.join(10)
    os._exit(0 if ok and ok[0] else 1)
"""


def test_a_forked_child_is_not_in_its_parents_line(redis_server: Server) -> None:
    assert program(FORKED, redis_server.url) == "fine\n"
