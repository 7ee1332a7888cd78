"""Memory: bytes a client, a hard bound under random keys, and what idle clients give back.

Each case runs in a fresh process and reads its own resident memory, so this needs Linux.
"""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from pathlib import Path

from benches.python.harness import QUICK, Figure, save, say, show

from sluicegate import (
    FixedWindow,
    Limiter,
    ManualClock,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

CLIENTS = 200_000
RANDOM_CALLS = 500_000 if QUICK else 5_000_000
MAX_KEYS = 100_000
ROOT = Path(__file__).resolve().parents[2]

#: Goes on by a part of the segments' window with each round of requests.
CLOCK, PART = ManualClock(), 10

# What is measured, of which limiter, requests a client, most bytes a client; what a request costs.
Size = tuple[Callable[[], Limiter], int, float | None, int]


def segments() -> Limiter:
    return SegmentedWindow(65_535, 60 * PART, clock=CLOCK)


SIZES: dict[str, Size] = {
    "log, 1 request": (lambda: SlidingWindowRateLimiter(100, 600), 1, 120, 1),
    "log, 100 requests": (lambda: SlidingWindowRateLimiter(100, 600), 100, 540, 1),
    "log, 100 requests, window of 2 hours": (
        lambda: SlidingWindowRateLimiter(100, 7200),
        100,
        None,
        1,
    ),
    "token bucket": (lambda: TokenBucket(capacity=100, refill_rate=0.1), 1, 90, 1),
    "segments, 1 request": (segments, 1, None, 1),
    "segments, in all parts": (segments, 61, 300, 1),
    "segments, 65,514 units in all parts": (segments, 61, 300, 1_074),
    "sliding counter": (lambda: SlidingWindowCounter(100, 600), 1, None, 1),
    "fixed window": (lambda: FixedWindow(100, 600), 1, None, 1),
}


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def bytes_a_client(what: str) -> dict[str, float]:
    make, requests, _, cost = SIZES[what]
    keys = [f"ip:10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(CLIENTS)]
    make().is_allowed_many(keys[:1000])
    before = resident()
    limiter = make()
    for _ in range(requests):
        for start in range(0, CLIENTS, 10_000):  # the results' lists stay small, too
            if not all(limiter.is_allowed_many(keys[start : start + 10_000], cost)):
                raise RuntimeError(f"{what}: a request is refused")
        CLOCK.advance(PART)
    grown = resident() - before
    if len(limiter) != CLIENTS:
        raise RuntimeError(f"{what}: holds {len(limiter)} of {CLIENTS} clients")
    return {"bytes": grown / CLIENTS}


def random_keys(window: float) -> dict[str, float]:
    """Random keys, each call timed, through a limiter that holds few of them."""
    took = array("Q", bytes(8 * RANDOM_CALLS))
    for index in range(0, RANDOM_CALLS, 512):
        took[index] = 1  # in memory before the baseline is read
    draw = random.Random(7).getrandbits
    limiter = SlidingWindowRateLimiter(100, window, max_keys=MAX_KEYS)
    call, clock = limiter.is_allowed, time.perf_counter_ns
    most_keys, before, most = 0, resident(), 0
    for index in range(RANDOM_CALLS):
        key = f"{draw(64):016x}"
        start = clock()
        call(key)
        took[index] = clock() - start
        if index % 50_000 == 0:
            most, most_keys = max(most, resident()), max(most_keys, len(limiter))
    most, most_keys = max(most, resident()), max(most_keys, len(limiter))
    counts = limiter.statistics()
    ordered = sorted(took)
    return {
        "grown": most - before,
        "most_keys": most_keys,
        "median": ordered[len(ordered) // 2],
        "p9999": ordered[int(len(ordered) * 0.9999)],
        "max": ordered[-1],
        "evicted": counts.evicted,
        "overflowed": counts.overflowed,
        # Every key was new, so each one is held, was dropped when idle, or overflowed.
        "unaccounted": RANDOM_CALLS - counts.keys - counts.evicted - counts.overflowed,
    }


def idle_clients() -> dict[str, float]:
    """Many clients fall silent while one goes on; how long until they are given back?"""
    limiter = SlidingWindowRateLimiter(1_000_000, 1.0)
    before = resident()
    for number in range(CLIENTS):
        limiter.is_allowed(f"ip:10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    held = resident() - before
    keys = len(limiter)
    time.sleep(1.1)  # now all of them are idle
    start = time.perf_counter()
    while len(limiter) > 1 and time.perf_counter() - start < 10:
        for _ in range(1000):
            limiter.is_allowed("ip:203.0.113.7")
    seconds, keys_left = time.perf_counter() - start, len(limiter)
    for _ in range(2_000_000):  # the tables shrink a little after the keys have gone
        limiter.is_allowed("ip:203.0.113.7")
    return {
        "keys": keys,
        "held": held,
        "seconds": seconds,
        "keys_left": keys_left,
        "left": resident() - before,
    }


def in_fresh_process(case: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benches.python.memory", case]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def run_case(case: str) -> dict[str, float]:
    if case.startswith("random keys"):
        return random_keys(3600 if case.endswith("live") else 0.01)
    return idle_clients() if case == "idle" else bytes_a_client(case)


def random_figures() -> list[Figure]:
    figures: list[Figure] = []
    for state in ("live", "short-lived"):
        say(f"memory: {RANDOM_CALLS:,} random keys, {state} ...")
        found = in_fresh_process(f"random keys, {state}")
        bound = MAX_KEYS * 120 / 1e6
        counted = f"{found['evicted']:,.0f} evicted, {found['overflowed']:,.0f} overflowed"
        figures += [
            Figure(f"{state}: resident memory, growth", found["grown"] / 1e6, "MB", bound),
            Figure(f"{state}: most keys held", found["most_keys"], "", MAX_KEYS),
            Figure(f"{state}: median of a call", found["median"] / 1e3, "µs"),
            Figure(f"{state}: p99.99 of a call", found["p9999"] / 1e3, "µs", 1000),
            Figure(f"{state}: slowest call", found["max"] / 1e3, "µs"),
            Figure(f"{state}: keys forgotten untold", found["unaccounted"], "", 0, note=counted),
        ]
    return figures


def idle_figures() -> list[Figure]:
    say("memory: idle clients ...")
    found = in_fresh_process("idle")
    held = f"of {found['keys']:,.0f}, after {found['seconds']:.2f} s of one other client's traffic"
    memory = f"of {found['held'] / 1e6:.1f} MB"
    return [
        Figure("keys left", found["keys_left"], "", 1, note=held),
        Figure("resident memory left", found["left"] / 1e6, "MB", note=memory),
    ]


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(run_case(sys.argv[1])))
        return
    sizes: list[Figure] = []
    for what, (_, _, bar, _) in SIZES.items():
        say(f"memory: {what} ...")
        sizes.append(Figure(what, in_fresh_process(what)["bytes"], "B", bar))
    about = f"Growth of resident memory over {CLIENTS:,} clients, each case in a fresh process."
    show("Bytes a client", about, sizes)
    bounded = random_figures()
    about = f"{RANDOM_CALLS:,} random keys through an exact log with `max_keys={MAX_KEYS:,}`."
    show("A flood of random keys", about, bounded)
    idle = idle_figures()
    show("Idle clients", f"{CLIENTS:,} clients fall silent; one other goes on.", idle)
    save("memory", [*sizes, *bounded, *idle])


if __name__ == "__main__":
    main()
