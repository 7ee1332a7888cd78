"""Threads without an event loop that check as fast as they can, each call blocking its thread.

``python -m benches.redis.threads NAME URL THREADS SECONDS WARM`` prints one sample as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benches.redis.contestants import PLENTY, next_client, script_of
from benches.redis.load import Sample, _cpu

ROOT = Path(__file__).parents[2]
THREADS = (1, 8)
OURS, THEIRS = "sluicegate: check_sync", "redis-py, a connection a thread"

#: What a thread calls, made in that thread.
Blocking = Callable[[], Any]


def ours(url: str) -> Callable[[], Blocking]:
    from sluicegate import TokenBucketConfig
    from sluicegate.redis import TokenBucket

    limiter = TokenBucket(url, TokenBucketConfig(PLENTY, 1_000_000))
    return lambda: lambda: limiter.check_sync(next_client())


def theirs(url: str) -> Callable[[], Blocking]:
    """A bare EVALSHA of the same script, by redis-py with hiredis."""
    import redis

    script = script_of("token_bucket")

    def connected() -> Blocking:
        client = redis.Redis.from_url(url, single_connection_client=True)
        digest = client.script_load(script)
        return lambda: client.evalsha(digest, 1, next_client(), "c", 1, PLENTY, 1, 1, 0)

    return connected


CONTESTANTS = {OURS: ours, THEIRS: theirs}


def one(name: str, url: str, threads: int, seconds: float, warm: float) -> Sample:
    """What ``threads`` threads do in ``seconds``, after ``warm`` seconds of the same."""
    make = CONTESTANTS[name](url)
    _round(make, threads, warm)
    return _round(make, threads, seconds)


def _round(make: Callable[[], Blocking], threads: int, seconds: float) -> Sample:
    ready = threading.Barrier(threads + 1)
    times: list[list[int]] = [[] for _ in range(threads)]

    def run(mine: list[int]) -> None:
        check = make()
        check()
        ready.wait()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter_ns()
            check()
            mine.append(time.perf_counter_ns() - start)

    all_of_them = [threading.Thread(target=run, args=(mine,)) for mine in times]
    for thread in all_of_them:
        thread.start()
    ready.wait()
    cpu, start = _cpu(), time.perf_counter()
    for thread in all_of_them:
        thread.join()
    took = time.perf_counter() - start
    done = [each for mine in times for each in mine]
    return Sample(len(done) / took, (_cpu() - cpu) / len(done) * 1e6, median(done) / 1e3)


def measured(
    url: str, repeats: int, seconds: float, warm: float
) -> dict[str, dict[int, dict[str, float]]]:
    """Medians by library and number of threads; the libraries take turns."""
    samples: dict[str, dict[int, list[dict[str, float]]]] = {}
    for _ in range(repeats):
        for threads in THREADS:
            for name in CONTESTANTS:
                words = [name, url, str(threads), str(seconds), str(warm)]
                command = [sys.executable, "-m", "benches.redis.threads", *words]
                said = subprocess.check_output(command, cwd=ROOT, timeout=60)
                samples.setdefault(name, {}).setdefault(threads, []).append(json.loads(said))
    return {
        name: {
            threads: {key: median(each[key] for each in found) for key in found[0]}
            for threads, found in by_threads.items()
        }
        for name, by_threads in samples.items()
    }


if __name__ == "__main__":
    given = sys.argv[1:]
    sample = one(given[0], given[1], int(given[2]), float(given[3]), float(given[4]))
    print(json.dumps(vars(sample)))
