"""By how much ``check_sync`` exceeds its ``timeout`` when the server hangs.

``PYTHONPATH=python python -m benches.redis.overshoot`` prints median, p99 and maximum.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

THREADS = (1, 8)
CALLS = 200  # of all threads, for each timeout
TIMEOUTS = (0.005, 0.05)  # seconds


def overshoots(url: str, pid: int, threads: int, timeout: float) -> list[float]:
    """Milliseconds beyond ``timeout``, of calls that the stopped server never answers."""
    import os
    import signal

    from sluicegate.redis import FixedWindow

    limiter = FixedWindow(url, 1_000_000, 60, timeout=timeout, on_error="local")
    limiter.ping_sync()
    beyond: list[float] = []
    os.kill(pid, signal.SIGSTOP)
    try:
        for _ in range(CALLS // threads):
            # Each round has a connection that is still thought to be well.
            beyond += _one_round(limiter, threads, timeout)
            os.kill(pid, signal.SIGCONT)
            while limiter.check_sync("well").store != "redis":
                time.sleep(0.005)
            os.kill(pid, signal.SIGSTOP)
    finally:
        os.kill(pid, signal.SIGCONT)
    return beyond


def _one_round(limiter: object, threads: int, timeout: float) -> list[float]:
    start, beyond = threading.Barrier(threads), []

    def call(number: int) -> None:
        start.wait()
        begun = time.perf_counter()
        decision = limiter.check_sync(f"client:{number}")  # type: ignore[attr-defined]
        took = time.perf_counter() - begun
        if decision.store == "local" and took >= timeout / 2:  # it was waited for
            beyond.append((took - timeout) * 1e3)

    all_of_them = [threading.Thread(target=call, args=(number,)) for number in range(threads)]
    for thread in all_of_them:
        thread.start()
    for thread in all_of_them:
        thread.join()
    return beyond


def main() -> None:
    from redis_servers import Server

    with Server() as server:
        for timeout in TIMEOUTS:
            for threads in THREADS:
                words = [server.url, str(server.pid), str(threads), str(timeout)]
                command = [sys.executable, "-m", "benches.redis.overshoot", *words]
                said = subprocess.check_output(command, cwd=ROOT, timeout=120)
                beyond = json.loads(said)
                p99 = quantiles(beyond, n=100)[98]
                print(
                    f"timeout {timeout * 1e3:g} ms, {threads} thread(s), {len(beyond)} calls: "
                    f"median {median(beyond):+.2f} ms, p99 {p99:+.2f}, most {max(beyond):+.2f}"
                )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        url, pid, threads, timeout = sys.argv[1:]
        print(json.dumps(overshoots(url, int(pid), int(threads), float(timeout))))
    else:
        main()
