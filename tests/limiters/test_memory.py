"""Bounded memory: floods of keys, and keys that go idle."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sluicegate import FixedWindow, ManualClock, SlidingWindowRateLimiter


def resident() -> int:
    """Resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def flood(count: int, bound: int) -> None:
    limiter = SlidingWindowRateLimiter(10, 3600, max_keys=bound)
    before = resident()
    calls = []
    most = 0
    for _ in range(count // 1000):
        for key in (os.urandom(8).hex() for _ in range(1000)):
            start = time.perf_counter_ns()
            limiter.is_allowed(key)
            calls.append(time.perf_counter_ns() - start)
        most = max(most, len(limiter))
    statistics = limiter.statistics()
    calls.sort()
    grown = resident() - before - 40 * len(calls)
    print(
        f"{count:,} keys: most held {most:,}, grown by some {grown / 1e6:.1f} MB, "
        f"p99.99 {calls[-len(calls) // 10_000] / 1e3:.1f} µs, slowest {calls[-1] / 1e3:.0f} µs"
    )
    assert most == len(limiter) == bound
    # All keys are live: none was forgotten, and the counter tells of each that had no room.
    assert statistics.evicted == 0
    assert statistics.overflowed == count - bound
    assert grown < 200 * bound


def test_a_flood_of_random_keys_stays_bounded() -> None:
    flood(200_000, 20_000)


@pytest.mark.long
def test_five_million_random_keys_stay_bounded() -> None:
    flood(5_000_000, 100_000)


IDLING = """
import os, sluicegate
from pathlib import Path
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
clock = sluicegate.ManualClock()
limiter = sluicegate.TokenBucket(capacity=10, refill_rate=1, clock=clock)
empty = resident()
for n in range(300_000): limiter.is_allowed(f"{n}")
full = resident()
clock.advance(60)
for _ in range(400_000): limiter.is_allowed("the only one")
left = resident()
print(f"{full - empty:,} bytes for 300,000 clients, {left - empty:,} after they went idle")
assert len(limiter) == 1
assert left - empty < (full - empty) / 2
"""


def test_the_tables_give_memory_back_when_clients_go_idle() -> None:
    # In a process of its own: what an allocator keeps depends on all that went before.
    done = subprocess.run([sys.executable, "-c", IDLING], capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stderr


SEGMENTS = """
import os, sluicegate
from pathlib import Path
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
clock, keys = sluicegate.ManualClock(), [f"{n}" for n in range(60_000)]
limiter = sluicegate.SegmentedWindow(65_535, 60, clock=clock)
sluicegate.SegmentedWindow(1, 60).is_allowed_many(keys)
empty, bytes_a_client = resident(), []
for part in range(200):
    assert all(limiter.is_allowed_many(keys, 1_074)), "61 times 1,074 fit"
    bytes_a_client.append((resident() - empty) / len(keys))
    clock.advance(1)
print(f"{bytes_a_client[0]:.0f} bytes a client with one part, {max(bytes_a_client):.0f} at most")
assert bytes_a_client[0] < 160  # with tables that stand half empty
assert max(bytes_a_client) <= 300
"""


def test_a_client_of_segments_takes_at_most_300_bytes() -> None:
    done = subprocess.run([sys.executable, "-c", SEGMENTS], capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stderr


def test_many_threads_on_many_keys_are_exact() -> None:
    limiter = FixedWindow(50, 1e6, clock=ManualClock())
    names = [f"{n}" for n in range(20)]
    admitted = [0] * 8
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def hammer(thread: int) -> None:
        for round_ in range(100):
            if round_ % 10 == 0:
                admitted[thread] += sum(limiter.is_allowed_many(names))
            admitted[thread] += sum(limiter.is_allowed(name) for name in names)

    try:
        threads = [threading.Thread(target=hammer, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert sum(admitted) == 50 * len(names)
    assert limiter.statistics().admitted == 50 * len(names)


def test_large_batches_let_other_threads_run() -> None:
    limiter = FixedWindow(10, 60)
    batch = [f"{n}" for n in range(500_000)]
    turns = 0
    done = threading.Event()

    def work() -> None:
        assert sum(limiter.is_allowed_many(batch)) == len(batch)
        done.set()

    thread = threading.Thread(target=work)
    thread.start()
    while not done.is_set():
        turns += 1
    thread.join()
    assert turns > 0


def test_a_forked_child_goes_on_by_itself() -> None:
    code = (
        "import asyncio, os, sluicegate\n"
        "limiter = sluicegate.SlidingWindowRateLimiter(2, 60)\n"
        "asyncio.run(limiter.wait('a'))\n"
        "child = os.fork()\n"
        "ok = limiter.is_allowed('a') and not limiter.is_allowed('a')\n"
        "ok = ok and not asyncio.run(limiter.wait('a', timeout=0.01))\n"
        "if child == 0: os._exit(0 if ok else 1)\n"
        "assert ok and os.waitpid(child, 0)[1] == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_the_interpreter_ends_while_threads_wait() -> None:
    code = (
        "import threading, sluicegate\n"
        "bucket = sluicegate.TokenBucket(capacity=1, refill_rate=0.001)\n"
        "bucket.check('a')\n"
        "for _ in range(4): threading.Thread(target=bucket.wait_sync, args=('a',), daemon=True).start()\n"
        "print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
