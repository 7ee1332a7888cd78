"""Run with a server on PATH or in a wheel: ``python -m benches.redis``. QUICK=1: shorter."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from benches.redis.contestants import CONTESTANTS  # noqa: E402
from benches.redis.load import rounds  # noqa: E402
from benches.redis.server_alone import ARGUMENTS, per_second  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
REPEATS, SECONDS, WARM = (3, 0.7, 0.3) if QUICK else (5, 2.0, 0.5)
LOADS = (1, 50, 500)
LOOPS = ("asyncio", "uvloop")


def _one(name: str, url: str, tasks: int, loop: str) -> None:
    """In a process of its own: one sample, as JSON."""
    work = rounds(CONTESTANTS[name], url, tasks, SECONDS, WARM)
    if loop == "uvloop":
        import uvloop

        sample = uvloop.run(work)
    else:
        sample = asyncio.run(work)
    print(json.dumps(vars(sample)))


def _sample(name: str, url: str, tasks: int, loop: str) -> dict[str, float] | str:
    command = [sys.executable, "-m", "benches.redis", name, url, str(tasks), loop]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:100]
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _table(loop: str, url: str) -> dict[str, dict[int, dict[str, float]]]:
    samples: dict[str, dict[int, list[dict[str, float]]]] = {}
    skipped: dict[str, str] = {}
    for turn in range(REPEATS):
        for name in CONTESTANTS:
            for tasks in LOADS:
                if name in skipped:
                    continue
                print(
                    f"\r{loop}: {turn + 1}/{REPEATS} {name}, {tasks} tasks ...\x1b[K",
                    end="",
                    file=sys.stderr,
                )
                found = _sample(name, url, tasks, loop)
                if isinstance(found, str):
                    skipped[name] = found
                else:
                    samples.setdefault(name, {}).setdefault(tasks, []).append(found)
    print("\r\x1b[K", end="", file=sys.stderr)
    for name, why in skipped.items():
        print(f"skipped {name}: {why}")
    return {
        name: {
            tasks: {key: median(each[key] for each in found) for key in found[0]}
            for tasks, found in loads.items()
        }
        for name, loads in samples.items()
        if name not in skipped
    }


def _print(loop: str, table: dict[str, dict[int, dict[str, float]]]) -> None:
    print(f"\n### {loop}\n")
    print(
        "| | sequential p50 | 50 tasks | CPU | 500 tasks | CPU |\n| --- | --- | --- | --- | --- | --- |"
    )
    for name, loads in table.items():
        print(
            f"| {name} | {loads[1]['p50_micros']:.0f} µs "
            f"| {loads[50]['per_second']:,.0f}/s | {loads[50]['cpu_micros']:.1f} µs "
            f"| {loads[500]['per_second']:,.0f}/s | {loads[500]['cpu_micros']:.1f} µs |"
        )


def main() -> None:
    if len(sys.argv) > 1:
        name, url, tasks, loop = sys.argv[1:]
        _one(name, url, int(tasks), loop)
        return
    from redis_servers import Server

    figures: dict[str, object] = {}
    with Server() as server:
        print(
            "\n### The server alone, prepared pipelines\n\n| script | 50 on their way | 500 |\n| --- | --- | --- |"
        )
        for algorithm in ARGUMENTS:
            alone = [
                median(
                    per_second(server.url, algorithm, depth, SECONDS / 2) for _ in range(REPEATS)
                )
                for depth in (50, 500)
            ]
            figures[f"alone {algorithm}"] = alone
            print(f"| {algorithm} | {alone[0]:,.0f}/s | {alone[1]:,.0f}/s |")
        for loop in LOOPS if find_spec("uvloop") else LOOPS[:1]:
            table = _table(loop, server.url)
            figures[loop] = table
            _print(loop, table)
    out = ROOT / "bench-output"
    out.mkdir(exist_ok=True)
    (out / "redis.json").write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
