"""One quota in many processes: exact, and nobody is disturbed by a fork."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from forking import FORKED, needs_fork
from redis_programs import CONNECTED, program
from redis_servers import Server

RUNS = 20
KINDS = (
    "FixedWindow",
    "SlidingWindowRateLimiter",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "TokenBucket",
)
pytestmark = needs_fork

WORKER = (
    CONNECTED
    + """
import asyncio, sys
import sluicegate, sluicegate.redis
async def main(url):
    quotas = {"TokenBucket": [sluicegate.TokenBucketConfig(100, 1e-7)]}
    for line in sys.stdin:
        kind, key, remember = line.split()
        make, quota = getattr(sluicegate.redis, kind), quotas.get(kind, [100, 1e9])
        options = {"remember": remember == "True", "on_error": "raise", "timeout": 30}
        async with make(url, *quota, **options) as limiter:
            async def task():
                return sum([bool(await limiter.check(key)) for _ in range(40)])
            await connected(limiter)
            print(sum(await asyncio.gather(*[task() for _ in range(4)])), flush=True)
asyncio.run(main(sys.argv[1]))
"""
)


@contextlib.contextmanager
def workers(url: str, count: int) -> Iterator[list[subprocess.Popen[str]]]:
    command = [sys.executable, "-c", WORKER, url]
    pipe = subprocess.PIPE
    with contextlib.ExitStack() as owned:
        made = []
        for _ in range(count):
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
            made.append(owned.enter_context(process))
            owned.callback(process.kill)
        yield made
        for process in made:
            assert process.stdin
            process.stdin.close()
        assert [process.wait(30) for process in made] == [0] * count


def told(process: subprocess.Popen[str]) -> int:
    assert process.stdout
    return int(process.stdout.readline())


def test_four_processes_of_four_tasks_admit_exactly_the_limit(redis_server: Server) -> None:
    with workers(redis_server.url, 4) as four:
        for kind in KINDS:
            admitted = []
            for number in range(RUNS):
                for process in four:
                    assert process.stdin
                    process.stdin.write(f"{kind} key{number} {number % 2 == 1}\n")
                    process.stdin.flush()
                admitted.append(sum(told(process) for process in four))
            exact = admitted.count(100)
            print(f"{kind}, 4 processes x 4 tasks: exactly 100 admitted in {exact} runs of {RUNS}")
            assert admitted == [100] * RUNS


FORKS = (
    FORKED
    + """
import multiprocessing
from sluicegate.redis import FixedWindow
URL = sys.argv[1]
def limiter_of(limit, **options):
    return FixedWindow(URL, limit, 1e9, on_error="raise", timeout=30, remember=False, **options)
limiter = limiter_of(1000)
async def spend(count):
    # By its limit everybody knows an answer of its own; a neighbour's has another.
    number = os.getpid()
    mine = limiter_of(2000 + number % 1000, prefix=f"{number} at {time.monotonic_ns()}")
    await connected(limiter)
    for number in range(count):
        decision, own = await asyncio.gather(limiter.check("a"), mine.check("a"))
        told = (decision.limit, own.limit, own.remaining)
        assert told == (1000, mine.limit, mine.limit - number - 1)
async def spent():
    return 1000 - (await limiter.peek("a")).remaining
def use(count=10):
    asyncio.run(spend(count))
"""
)


def forks(server: Server, code: str) -> None:
    assert program(CONNECTED + FORKS + code + "\nprint('fine', flush=True)", server.url) == "fine\n"


@pytest.mark.parametrize("used", [False, True])
def test_children_and_grandchildren_use_their_parents_limiter(
    used: bool, redis_server: Server
) -> None:
    code = """
def child():
    use()
    ended_well([forked(use)])
    use()
USED = %r
if USED:
    use()
ended_well([forked(child) for _ in range(3)])
use()
assert asyncio.run(spent()) == 100 + 10 * USED
"""
    forks(redis_server, code % used)


def test_workers_of_a_preloaded_program_use_its_limiter(redis_server: Server) -> None:
    code = """
use()
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        use(20)
        sys.exit()  # its exit handlers run
    children.append(child)
use(50)
ended_well(children)
use()
assert asyncio.run(spent()) == 150
"""
    forks(redis_server, code)


def test_forked_workers_of_multiprocessing_use_it(redis_server: Server) -> None:
    code = """
use()
context = multiprocessing.get_context("fork")
children = [context.Process(target=use) for _ in range(4)]
for child in children:
    child.start()
for child in children:
    child.join(30)
assert [child.exitcode for child in children] == [0] * 4
assert asyncio.run(spent()) == 50
"""
    forks(redis_server, code)


def test_a_fork_while_other_threads_use_it(redis_server: Server) -> None:
    code = """
over, ends = threading.Event(), []
async def until_over():
    while not over.is_set():
        await limiter.check("a")
    return True
async def nobody():
    await connected(limiter)
    assert (await limiter_of(7).check(str(os.getpid()))).remaining == 6
threads = [threading.Thread(target=lambda: ends.append(asyncio.run(until_over()))) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(20):
    time.sleep(0.01)
    ended_well([forked(lambda: asyncio.run(nobody()))])
over.set()
for thread in threads:
    thread.join(30)
assert ends == [True, True]
"""
    forks(redis_server, code)


IN_FLIGHT = """
PATIENCE = 20
async def parent(work):
    await connected(limiter)
    await limiter.check("a")
    await asyncio.to_thread(pause)
    calls = [asyncio.ensure_future(limiter.check("a")) for _ in range(20)]
    await asyncio.sleep(0.05)
    children = [forked(work) for _ in range(4)]
    answers = await asyncio.wait_for(asyncio.gather(*calls), PATIENCE)
    assert sorted(answer.remaining for answer in answers) == list(range(979, 999))
    await asyncio.to_thread(ended_well, children)
    await asyncio.wait_for(limiter.check("a"), 20)
    assert await spent() == SPENT
def pause():
    import socket
    port = int(URL.rsplit(":", 1)[1].split("/")[0])
    with socket.create_connection(("127.0.0.1", port)) as server:
        server.sendall(b"CLIENT PAUSE 300\\r\\n")
        assert server.recv(9) == b"+OK\\r\\n"
"""


def test_a_fork_with_calls_in_flight_takes_no_answer(redis_server: Server) -> None:
    forks(redis_server, IN_FLIGHT + "\nSPENT = 62\nasyncio.run(parent(use))")


def test_a_child_that_goes_on_in_the_loop_takes_no_answer(redis_server: Server) -> None:
    code = """
SPENT, PATIENCE = 22, 5
def go_on():
    # As the loop does when a child returns into it, but for what belongs to asyncio.
    end = time.monotonic() + 1
    while time.monotonic() < end:
        for key, _ in inherited._selector.select(0.1):
            handle = key.data[0]
            if "_collect" in repr(handle):
                handle._run()
async def main():
    global inherited
    inherited = asyncio.get_running_loop()
    await parent(go_on)
asyncio.run(main())
"""
    forks(redis_server, IN_FLIGHT + code)
