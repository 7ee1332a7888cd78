"""Three limits in one decision, beside one limit, and three that are checked in a row.

``python -m benches.redis.gate`` measures and prints the table; with
``SET KIND URL TASKS SECONDS WARM`` it takes one sample.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from benches.redis.contestants import Check, next_client  # noqa: E402
from benches.redis.load import rounds  # noqa: E402

LOADS = (50, 500)
#: The three algorithms that limits have by default (the log, a bucket and segments), and one three times.
SETS = {
    "log, bucket, segments": ("1000/second", "4000000000/hour burst 4000000", "1000000000/day"),
    "three buckets": tuple(f"4000000000/{window} burst 4000000" for window in ("m", "h", "d")),
}
KINDS = ("one limit", "a gate of three", "three in a row")

#: Decisions a second, by set, kind and tasks.
Rates = dict[str, dict[str, dict[int, float]]]


def single(url: str, quota: str, name: str) -> Any:
    from sluicegate import Quota
    from sluicegate.gate.algorithms import algorithm_of
    from sluicegate.redis import SegmentedWindow, SlidingWindowRateLimiter, TokenBucket

    kinds: dict[str, Any] = {
        "sliding_log": SlidingWindowRateLimiter,
        "segmented_window": SegmentedWindow,
        "token_bucket": TokenBucket,
    }
    return kinds[algorithm_of(Quota(quota), None)](url, quota, name=name)


async def made(url: str, of: str, kind: str) -> Check:
    """The check of a kind, over the quotas of a set."""
    from sluicegate import Limit
    from sluicegate.redis import Gate

    quotas = SETS[of]
    if kind == KINDS[0]:
        limiter = single(url, quotas[0], "one")
        return lambda: limiter.check(next_client())
    if kind == KINDS[1]:
        gate = Gate(url, [Limit(quota, by=by) for quota, by in zip(quotas, "abc", strict=True)])

        def check() -> Any:
            client = next_client()
            return gate.check({"a": client, "b": client, "c": client})

        return check
    three = [single(url, quota, f"row{place}") for place, quota in enumerate(quotas)]

    async def in_a_row() -> None:
        client = next_client()
        for each in three:
            await each.check(client)

    return in_a_row


def measured(url: str, repeats: int, seconds: float, warm: float) -> Rates:
    """Medians; the kinds take turns."""
    samples: dict[tuple[str, str, int], list[float]] = {}
    for _ in range(repeats):
        for of in SETS:
            for tasks in LOADS:
                for kind in KINDS:
                    words = [of, kind, url, str(tasks), str(seconds), str(warm)]
                    command = [sys.executable, "-m", "benches.redis.gate", *words]
                    said = json.loads(subprocess.check_output(command, cwd=ROOT, timeout=60))
                    samples.setdefault((of, kind, tasks), []).append(said["per_second"])
    return {
        of: {kind: {tasks: median(samples[of, kind, tasks]) for tasks in LOADS} for kind in KINDS}
        for of in SETS
    }


def table(rates: Rates) -> str:
    """Decisions a second, and the gate's as a part of the others'."""
    lines = [
        f"| limits | tasks | {' | '.join(KINDS)} | gate / one limit | gate / three in a row |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for of, kinds in rates.items():
        for tasks in LOADS:
            one, gate, row = (kinds[kind][tasks] for kind in KINDS)
            cells = [of, str(tasks), *(f"{rate:,.0f}" for rate in (one, gate, row))]
            lines.append(f"| {' | '.join(cells)} | {gate / one:.2f} | {gate / row:.2f} |")
    return "\n".join(lines)


def main() -> None:
    if len(sys.argv) > 1:
        of, kind, url, tasks, seconds, warm = sys.argv[1:]

        async def make(url: str) -> Check:
            return await made(url, of, kind)

        work = rounds(make, url, int(tasks), float(seconds), float(warm))
        print(json.dumps(vars(asyncio.run(work))))
        return
    from redis_servers import Server

    with Server() as server:
        print(table(measured(server.url, repeats=5, seconds=1.0, warm=0.3)))


if __name__ == "__main__":
    main()
