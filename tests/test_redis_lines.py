"""Who waits on one event loop, or in one process, is not in the way of another's."""

from __future__ import annotations

import asyncio
import threading

from redis_programs import program, run
from redis_servers import Server
from sluicegate import TokenBucketConfig
from sluicegate.redis import TokenBucket


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
