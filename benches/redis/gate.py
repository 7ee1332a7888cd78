"""Three limits in one decision, beside one limit, and three that are checked in a row.

``python -m benches.redis.gate`` measures and prints the table; with ``NAME URL TASKS SECONDS WARM`` one sample.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from benches.redis.contestants import Check, next_client  # noqa: E402
from benches.redis.load import rounds  # noqa: E402

LOADS = (50, 500)
ONE, GATE, ROW = "one limit", "a gate of three", "three in a row"
#: Three algorithms that limits have by default: the log, the bucket, and segments.
QUOTAS = ("1000/second", "4000000 tokens/hour burst 4000000", "1000000000/day")
COST = {"tokens": 1}

Three = dict[str, dict[int, dict[str, list[float]]]]


async def one(url: str) -> Check:
    from sluicegate.redis import SlidingWindowRateLimiter

    limiter = SlidingWindowRateLimiter(url, QUOTAS[0], name="one")
    return lambda: limiter.check(next_client())


async def gate(url: str) -> Check:
    from sluicegate import Limit
    from sluicegate.redis import Gate

    limits = [Limit(quota, by=by) for quota, by in zip(QUOTAS, "abc", strict=True)]
    of_three = Gate(url, limits)

    def check() -> Any:
        client = next_client()
        return of_three.check({"a": client, "b": client, "c": client}, COST)

    return check


async def row(url: str) -> Check:
    from sluicegate.redis import SegmentedWindow, SlidingWindowRateLimiter, TokenBucket

    log = SlidingWindowRateLimiter(url, QUOTAS[0], name="log")
    bucket = TokenBucket(url, QUOTAS[1], name="bucket")
    segments = SegmentedWindow(url, QUOTAS[2], name="segments")

    async def check() -> None:
        client = next_client()
        await log.check(client)
        await bucket.check(client)
        await segments.check(client)

    return check


CONTESTANTS: dict[str, Callable[[str], Any]] = {ONE: one, GATE: gate, ROW: row}


def measured(url: str, repeats: int, seconds: float, warm: float) -> dict[str, dict[int, float]]:
    """Medians of decisions a second, by contestant and tasks; they take turns."""
    samples: dict[str, dict[int, list[float]]] = {name: {} for name in CONTESTANTS}
    for _ in range(repeats):
        for tasks in LOADS:
            for name in CONTESTANTS:
                words = [name, url, str(tasks), str(seconds), str(warm)]
                command = [sys.executable, "-m", "benches.redis.gate", *words]
                said = json.loads(subprocess.check_output(command, cwd=ROOT, timeout=60))
                samples[name].setdefault(tasks, []).append(said["per_second"])
    return {
        name: {tasks: median(found) for tasks, found in by_tasks.items()}
        for name, by_tasks in samples.items()
    }


def table(figures: dict[str, dict[int, float]]) -> str:
    """Decisions a second, and the gate's as a part of the others'."""
    lines = [
        f"| tasks | {ONE} | {GATE} | {ROW} | gate / one limit | gate / three in a row |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for tasks in LOADS:
        single, gated, in_row = (figures[name][tasks] for name in (ONE, GATE, ROW))
        lines.append(
            f"| {tasks} | {single:,.0f}/s | {gated:,.0f}/s | {in_row:,.0f}/s "
            f"| {gated / single:.2f} | {gated / in_row:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    if len(sys.argv) > 1:
        name, url, tasks, seconds, warm = sys.argv[1:]
        work = rounds(CONTESTANTS[name], url, int(tasks), float(seconds), float(warm))
        print(json.dumps(vars(asyncio.run(work))))
        return
    from redis_servers import Server

    with Server() as server:
        print(table(measured(server.url, repeats=5, seconds=1.0, warm=0.3)))


if __name__ == "__main__":
    main()
