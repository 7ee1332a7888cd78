"""Limits in Redis beside what interrupts Python: the recursion limit, signals, forks, imports."""

from __future__ import annotations

from forking import needs_fork
from redis_programs import program
from redis_servers import Server

DEEP = """
import asyncio, sys
from sluicegate.redis import ConcurrencyLimiter, FixedWindow
URL = sys.argv[1]
def deep(levels, work):
    if levels:
        return deep(levels - 1, work)
    work()
"""

# A check whose flush could not be planned, behind one that is on its way.
UNPLANNED = """
async def main():
    limiter = FixedWindow(URL, 1_000, 60, timeout=5, on_error="raise")
    await limiter.check("warm")
    def begin():
        call = limiter.check("b")
        try:
            call.send(None)
        finally:
            call.close()
    first = asyncio.ensure_future(limiter.check("a"))
    await asyncio.sleep(0)
    for levels in range(1_000, 0, -1):
        try:
            deep(levels, begin)
            break
        except RecursionError:
            pass
    last = asyncio.ensure_future(limiter.check("c"))
    print((await first).store, (await asyncio.wait_for(last, 20)).store)
asyncio.run(main())
"""


def test_a_check_is_sent_although_its_flush_could_not_be_planned(redis_server: Server) -> None:
    assert program(DEEP + UNPLANNED, redis_server.url) == "redis redis\n"


RELEASED = """
async def main():
    limiter = ConcurrencyLimiter(URL, 1_000, lease_seconds=60, timeout=5, on_error="raise")
    tries = 0
    for levels in range(860, 1_000):
        permit = await limiter.try_acquire("k")
        try:
            deep(levels, lambda: permit.release().close())
        except RecursionError:
            tries += 1
            await permit.release()
    await asyncio.sleep(0.05)
    while await limiter.in_use("k"):
        await asyncio.sleep(0.05)
    print("none is held", tries > 10)
asyncio.run(main())
"""


def test_a_permit_whose_release_failed_can_be_released_again(redis_server: Server) -> None:
    assert program(DEEP + RELEASED, redis_server.url) == "none is held True\n"


INTERRUPTED = """
import asyncio, os, signal, sys
from sluicegate.redis import FixedWindow
async def main():
    limiter = FixedWindow(sys.argv[1], 10, 60, timeout=5)
    await limiter.check("k")
    loop = asyncio.get_running_loop()
    planned = loop.call_soon
    async def one():
        await limiter.check("k")
    task = asyncio.ensure_future(one())
    await asyncio.sleep(0)
    def call_soon(callback, *args, **options):
        if "wakeup" in repr(callback).lower():
            loop.call_soon = planned
            os.kill(os.getpid(), signal.SIGTERM)
        return planned(callback, *args, **options)
    loop.call_soon = call_soon
    await asyncio.sleep(20)
    print("SIGTERM was swallowed")
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
try:
    asyncio.new_event_loop().run_until_complete(main())
except SystemExit as error:
    print("exit", error.code, flush=True)
    os._exit(0)
"""


def test_a_signal_that_comes_while_an_answer_is_handed_out_is_heard(redis_server: Server) -> None:
    assert program(INTERRUPTED, redis_server.url) == "exit 3\n"


IMPORTED_IN_A_FORK = """
import asyncio, os, sys
def before():
    import sluicegate.redis
os.register_at_fork(before=before)
if not (child := os.fork()):
    os._exit(0)
os.waitpid(child, 0)
from sluicegate.redis import ConcurrencyLimiter
async def main():
    permit = await asyncio.wait_for(ConcurrencyLimiter(sys.argv[1], 2, timeout=5).try_acquire("k"), 20)
    print(permit is not None)
asyncio.run(main())
"""


@needs_fork
def test_an_import_while_a_fork_is_under_way(redis_server: Server) -> None:
    assert program(IMPORTED_IN_A_FORK, redis_server.url) == "True\n"


MADE_BESIDE_FORKS = """
import os, threading
from sluicegate import ConcurrencyLimiter
from sluicegate.redis import ConsistentHashRing
from sluicegate.policy.owned import owned_by
ring, stop = ConsistentHashRing(["a", "b"]), threading.Event()
def work(name):
    while not stop.is_set():
        owned_by(object())
        ring.add_node(name)
        ring.remove_node(name)
threads = [threading.Thread(target=work, args=(name,)) for name in "cd"]
for thread in threads: thread.start()
for _ in range(100):
    if not (child := os.fork()):
        owned_by({})
        ring.add_node("e")
        os._exit(0)
    os.waitpid(child, 0)
stop.set()
for thread in threads: thread.join()
print("done")
"""


@needs_fork
def test_children_beside_threads_that_make_middlewares(redis_server: Server) -> None:
    assert program(MADE_BESIDE_FORKS, redis_server.url) == "done\n"


OFF = """
from sluicegate import _core
from sluicegate.leaky_bucket import LeakyBucket
from sluicegate.testing import limits_off
bucket = LeakyBucket(10, 1)
def off():
    with limits_off():
        pass
failed = 0
for levels in range(860, 1_000):
    try:
        deep(levels, off)
    except RecursionError:
        failed += 1
    assert not _core.limits_are_off(), levels
print("limits are on", failed > 0)
"""


def test_limits_are_on_after_a_block_that_could_not_be_entered(redis_server: Server) -> None:
    assert program(DEEP + OFF, redis_server.url) == "limits are on True\n"
