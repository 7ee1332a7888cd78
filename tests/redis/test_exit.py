"""Programs that end with calls in flight, and what limiters leave behind that are dropped."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from redis_programs import program
from redis_servers import Server

ENDS = """
import asyncio, os, sys, threading, time
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 1000, 1e9, timeout=30)
async def begin():
    # The server stands still: the calls are in flight for as long as the program lives.
    tasks = [asyncio.ensure_future(limiter.check("a")) for _ in range(100)]
    tasks += [asyncio.ensure_future(limiter.wait("b")) for _ in range(10)]
    tasks.append(asyncio.ensure_future(limiter.check_many(["c"] * 100)))
    await asyncio.sleep(0.05)
    for task in tasks:
        task._log_destroy_pending = False
    return tasks
"""
NORMAL = {
    "asyncio.run cancels them": """
async def main():
    tasks = await begin()
asyncio.run(main())
""",
    "a loop is closed over them": """
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(begin())
loop.close()
""",
    "a loop is left open with them": """
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(begin())
""",
    "sys.exit in a task": """
async def main():
    tasks = await begin()
    sys.exit(0)
asyncio.run(main())
""",
    "a daemon thread runs its loop on": """
ready = threading.Event()
async def main():
    tasks = await begin()
    ready.set()
    await asyncio.gather(*tasks)
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
assert ready.wait(30)
""",
    "os._exit": """
asyncio.new_event_loop().run_until_complete(begin())
os._exit(0)
""",
}
SLOW = """
class Slow:
    # As long as it is being deleted, the interpreter has ended and its threads live.
    def __del__(self, sleep=time.sleep):
        sleep(1)
slow = Slow()
"""
PINGS = """
async def main():
    # Not by a ping: that its thread meets Python for the first time is the point.
    while (await limiter.check("a")).store != "redis":
        await asyncio.sleep(0.1)
    os.kill(int(sys.argv[2]), 19)
    task = asyncio.ensure_future(limiter.ping(0.3))
    task._log_destroy_pending = False
    await asyncio.sleep(0.01)
    return task
loop = asyncio.new_event_loop()
kept = loop.run_until_complete(main())
loop.close()
"""


@pytest.mark.parametrize("code", NORMAL.values(), ids=NORMAL)
def test_a_program_ends_with_calls_in_flight(code: str, redis_server: Server) -> None:
    redis_server.stop()
    begun = time.monotonic()
    assert program(ENDS + code, redis_server.url) == ""
    print(f"ended {time.monotonic() - begun:.2f} s after its start")


def test_a_program_ends_with_a_ping_in_flight(redis_server: Server) -> None:
    assert program(ENDS + SLOW + PINGS, redis_server.url, redis_server.pid) == ""


def test_a_loop_closed_before_its_ping_is_answered(redis_server: Server) -> None:
    code = ENDS + SLOW + PINGS + "time.sleep(0.5)"
    assert program(code, redis_server.url, redis_server.pid) == ""


PINGED = "asyncio.run(limiter.ping(30))"


def test_programs_end_right_after_their_ping(redis_server: Server) -> None:
    command = [sys.executable, "-c", ENDS + PINGED, redis_server.url]
    ends = []
    for _ in range(4):
        programs = [subprocess.Popen(command) for _ in range(6)]
        ends += [each.wait(60) for each in programs]
    print(f"{len(ends)} programs that ping and end: {ends.count(-signal.SIGABRT)} are aborted")
    assert ends == [0] * 24


BUSY = """
import asyncio, sys, threading, time
from sluicegate.redis import FixedWindow
limiter = FixedWindow(sys.argv[1], 1000, 1e9, timeout=30, remember=False)
ready = threading.Event()
async def main():
    while True:
        await asyncio.gather(*[limiter.check("a") for _ in range(20)])
        ready.set()
for _ in range(3):
    threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
assert ready.wait(30)
"""


def test_a_program_ends_while_daemon_threads_are_answered(redis_server: Server) -> None:
    for _ in range(4):
        assert program(BUSY, redis_server.url) == ""


INTERRUPTED = """
async def main():
    tasks = await begin()
    print("ready", flush=True)
    await asyncio.gather(*tasks)
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
TERMINATED = """
import signal
async def main():
    tasks = await begin()
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    print("ready", flush=True)
    await over.wait()
    print("interrupted", flush=True)
asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, TERMINATED)]
)
def test_a_signal_ends_a_program_with_calls_in_flight(
    number: signal.Signals, code: str, redis_server: Server
) -> None:
    redis_server.stop()
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", ENDS + code, redis_server.url]
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            process.send_signal(number)
            begun = time.monotonic()
            out, complaints = process.communicate(timeout=30)
            print(f"ended {time.monotonic() - begun:.2f} s after {number.name}")
        finally:
            process.kill()
    assert (process.returncode, out, complaints) == (0, "interrupted\n", "")


GARBAGE = """
import asyncio, gc, sys
from pathlib import Path
from sluicegate.redis import FixedWindow, TokenBucket
from sluicegate import TokenBucketConfig
def used():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4
async def one(number):
    options = {"timeout": 30}
    if sys.argv[2] == "different":
        options["prefix"] = str(number)
    if number % 2:
        limiter = FixedWindow(sys.argv[1], 1000, 1e9, **options)
    else:
        limiter = TokenBucket(sys.argv[1], TokenBucketConfig(1000, 1e-3), **options)
    await limiter.check("a")
async def main():
    for number in range(2000):
        await one(number)
    before = used()
    for number in range(2000, 12000):
        await one(number)
    print(used() - before)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("which", ["equal", "different"])
def test_ten_thousand_limiters_leave_nothing_behind(which: str, redis_server: Server) -> None:
    grown = int(program(GARBAGE, redis_server.url, which))
    print(f"10,000 limiters made and dropped ({which}): {grown} KiB more")
    assert grown < 4096
