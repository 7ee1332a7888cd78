"""Forks while a thread of ours hands an answer to the interpreter."""

from __future__ import annotations

from forking import FORKED, needs_fork
from redis_programs import program
from redis_servers import Server

pytestmark = needs_fork

# A loop that our threads take long to wake: whether one is inside is seen in the child.
SLOW = f"""
import asyncio, sys
{FORKED}
from sluicegate.redis import ConcurrencyLimiter

class Slow(asyncio.SelectorEventLoop):
    inside, entered, forked = 0, threading.Event(), threading.Event()
    def call_soon_threadsafe(self, *arguments, **options):
        ours = isinstance(threading.current_thread(), threading._DummyThread)
        if ours:
            Slow.inside += 1
            Slow.entered.set()
            self.forked.wait(float(sys.argv[2]))
        try:
            return super().call_soon_threadsafe(*arguments, **options)
        finally:
            Slow.inside -= ours

def nobody_inside():
    assert Slow.inside == 0, Slow.inside

def check(work):
    # Two threads at once.
    threads = [threading.Thread(target=lambda: ended_well([forked(work)])) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join(60)

async def main(work):
    limiter = ConcurrencyLimiter(sys.argv[1], 9, timeout=20)
    calls = [asyncio.ensure_future(limiter.ping(20)) for _ in range(5)]
    while not Slow.entered.is_set():
        await asyncio.sleep(0.001)
    child = forked(work)
    check(work)
    Slow.forked.set()
    assert len(set(await asyncio.wait_for(asyncio.gather(*calls), 20))) == 1
    ended_well([child])
    assert await limiter.in_use("k") == 0
"""


def test_a_thread_of_ours_is_waited_for(redis_server: Server) -> None:
    code = "Slow().run_until_complete(main(nobody_inside))\nprint('fine')"
    assert program(SLOW + code, redis_server.url, 0.2) == "fine\n"


def test_one_that_does_not_leave_is_not_waited_for_long(redis_server: Server) -> None:
    code = "Slow().run_until_complete(main(int))\nprint('fine')"
    assert program(SLOW + code, redis_server.url, 40) == "fine\n"


def test_children_end_whose_parent_uses_permits(redis_server: Server) -> None:
    code = f"""
import asyncio, sys
{FORKED}
from sluicegate.redis import ConcurrencyLimiter
limiter = ConcurrencyLimiter(sys.argv[1], 1_000, timeout=20)
async def use():
    while not over:
        async with limiter.permit("k"):
            turns.append(1)
async def use_all():
    await asyncio.gather(*[use() for _ in range(32)])
async def once():
    async with limiter.permit("k") as permit:
        assert permit.held
over, turns = False, []
thread = threading.Thread(target=asyncio.run, args=(use_all(),))
thread.start()
while not turns:
    time.sleep(0.01)
for number in range(100):
    ended_well([forked((lambda: asyncio.run(once())) if number % 10 == 0 else int)])
over = True
thread.join()
print("fine")
"""
    assert program(code, redis_server.url) == "fine\n"


def test_a_signal_in_the_middle_of_a_fork_leaves_answers_on_their_way(redis_server: Server) -> None:
    """Its handler, which raises, is called in the first function in Python after the fork."""
    code = f"""
import _thread, asyncio, signal, sys
from functools import partial
{FORKED}
class Late(Exception):
    pass
def raises(*_):
    raise Late
signal.signal(signal.SIGUSR1, raises)
sys.unraisablehook = lambda _: None
os.register_at_fork(after_in_parent=partial(_thread.interrupt_main, signal.SIGUSR1))

from sluicegate.redis import FixedWindow
async def main():
    limiter = FixedWindow(sys.argv[1], 9, 600, timeout=20)
    await limiter.check("k")
    ended_well([forked(int)])
    decision = await asyncio.wait_for(limiter.check("k"), 20)
    assert decision.remaining == 7 and decision.store == "redis"
asyncio.run(main())
print("fine", flush=True)
os._exit(0)  # one whose answers are kept would hang
"""
    assert program(code, redis_server.url) == "fine\n"
