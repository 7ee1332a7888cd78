"""Forks beside threads that wait, drop and fork, and hooks that use limiters."""

from __future__ import annotations

import pytest

from forking import needs_fork, program_that_forks

#: A process whose forks take some milliseconds, so that other threads get to run in between.
_LARGE = """
import faulthandler
faulthandler.dump_traceback_later(100, exit=True)
ballast = bytearray(300_000_000)
ballast[::4096] = b"x" * len(ballast[::4096])
hooks = {}
def sure(work):
    # What a hook or a thread raises would only be printed.
    def done():
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(3)
    return done
def hook(when):
    return sure(lambda: [work() for work in hooks.get(when, ())])
# Before ours: these run while ours have done what they do before a fork, or have not yet undone it.
os.register_at_fork(
    before=hook("before"), after_in_parent=hook("parent"), after_in_child=hook("child")
)
from sluicegate import FixedWindow, ManualClock, TokenBucket
from sluicegate._core import Bells

limiter, bells = FixedWindow(1, 1000), Bells()
def place(key):
    limiter.check(key)
    return limiter._enqueue(key, 1, None, None, bells, 1)
def in_thread(work):
    thread = threading.Thread(target=sure(work), daemon=True)
    thread.start()
    return thread
def use_all():
    for number in range(200):
        limiter.check(f"child {number}")
    limiter.clear()
"""

_HOOKS = """
from sluicegate import ConcurrencyLimiter
places = []
def use():
    for number in range(100):
        limiter.check(str(number))
        places.append(place(str(number)))
    places.clear()
    with ConcurrencyLimiter(1).permit("k"):
        FixedWindow(1, 1).check("k")
    limiter.clear()
for when in ("before", "parent", "child"):
    hooks[when] = [use]
for _ in range(10):
    ended_well([forked(use_all)])
"""

_DROPPED = """
done = False
def drop():
    while not done:
        place("k")
        sum(range(100))
def turns():
    sum(range(20_000))
hooks["parent"] = [turns]
hooks["before"] = [turns]
threads = [in_thread(drop) for _ in range(3)]
for _ in range(60):
    ended_well([forked(use_all)])
done = True
for thread in threads:
    thread.join()
"""

_TWO = """
def let_the_other_fork():
    time.sleep(0.01)
hooks["parent"] = hooks["before"] = [let_the_other_fork]
def fork_often():
    for _ in range(25):
        ended_well([forked(use_all)])
    ended.append(1)
ended = []
threads = [in_thread(fork_often) for _ in range(2)]
for thread in threads:
    thread.join()
assert ended == [1, 1]
"""

_CLOCK = """
clock = ManualClock()
limiters = [FixedWindow(1, 1000, clock=clock) for _ in range(50)]
done = False
def move():
    while not done:
        clock.advance(0.001)
def make():
    while not done:
        limiters.append(FixedWindow(1, 1000, clock=clock))
        limiters.pop(0)
threads = [in_thread(work) for work in (move, move, make)]
def move_on():
    for _ in range(3):
        clock.advance(1)
    FixedWindow(1, 1, clock=clock).check("k")
for _ in range(60):
    ended_well([forked(move_on)])
done = True
for thread in threads:
    thread.join()
"""

_SAME_LOOP = """
import asyncio
bucket = TokenBucket(capacity=1, refill_rate=20)
async def wait(times):
    for _ in range(times):
        assert await bucket.wait("k")
async def main():
    tasks = [asyncio.ensure_future(wait(3)) for _ in range(3)]
    await asyncio.sleep(0.1)
    # A child has loops of its own, and its parent's waiters are not woken, nor lost, by it.
    child = forked(lambda: asyncio.run(asyncio.wait_for(wait(3), 20)))
    await asyncio.wait_for(asyncio.gather(*tasks), 20)
    ended_well([child])
asyncio.run(main())
"""


@needs_fork
@pytest.mark.parametrize(
    "code",
    [_HOOKS, _DROPPED, _TWO, _CLOCK, _SAME_LOOP],
    ids=["hooks", "dropped", "two at once", "clock", "in a loop"],
)
def test_forks_neither_hang_nor_lose_anybody(code: str) -> None:
    program_that_forks(_LARGE + code)
