"""Measure with a real server of its own, and write tables and a picture into ``bench-output``."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from benches.redis.contestants import CONTESTANTS, ON_A_CLUSTER  # noqa: E402
from benches.redis.gate import measured as of_gates  # noqa: E402
from benches.redis.load import rounds  # noqa: E402
from benches.redis.report import Figures, Loads, markdown, picture  # noqa: E402
from benches.redis.server_alone import ARGUMENTS, per_second  # noqa: E402
from benches.redis.threads import measured as in_threads  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: E402

QUICK = bool(os.environ.get("QUICK"))
REPEATS, SECONDS, WARM = (1, 0.2, 0.1) if QUICK else (5, 1.0, 0.3)
LOADS = (1, 50, 500)
LIBRARIES = ("redis", "hiredis", "limits", "throttled-py", "fastapi-limiter", "valkey-glide")


def one(name: str, url: str, tasks: int, loop: str) -> None:
    """In a process of its own: one sample, as JSON."""
    work = rounds(CONTESTANTS[name], url, tasks, SECONDS, WARM)
    if loop == "uvloop":
        import uvloop

        sample = uvloop.run(work)
    else:
        sample = asyncio.run(work)
    print(json.dumps(vars(sample)))


def sampled(name: str, url: str, tasks: int, loop: str) -> dict[str, float] | str:
    """One sample, or why there is none."""
    command = [sys.executable, "-m", "benches.redis", name, url, str(tasks), loop]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it ended"])[-1][:100]
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measured(names: list[str], url: str, loop: str, progress: Progress, what: str) -> Loads:
    """Medians for each library and load; the libraries take turns."""
    samples: dict[str, dict[int, list[dict[str, float]]]] = {}
    skipped: dict[str, str] = {}
    bar = progress.add_task(what, total=REPEATS * len(names) * len(LOADS))
    for name in names * REPEATS:
        for tasks in LOADS:
            found = skipped.get(name) or sampled(name, url, tasks, loop)
            if isinstance(found, str):
                skipped[name] = found
            else:
                samples.setdefault(name, {}).setdefault(tasks, []).append(found)
            progress.advance(bar)
    for name, why in skipped.items():
        progress.console.print(f"skipped {name}: {why}")
    return {
        name: {
            tasks: {key: median(each[key] for each in found) for key in found[0]}
            for tasks, found in loads.items()
        }
        for name, loads in samples.items()
        if name not in skipped
    }


def alone(url: str, progress: Progress) -> dict[str, list[float]]:
    """Checks a second of the server itself, with 50 and with 500 on their way."""
    bar = progress.add_task("the server alone", total=len(ARGUMENTS))
    figures = {}
    for algorithm in ARGUMENTS:
        figures[algorithm] = [
            median(per_second(url, algorithm, depth, SECONDS / 2) for _ in range(REPEATS))
            for depth in LOADS[1:]
        ]
        progress.advance(bar)
    return figures


def versions() -> str:
    named = [f"{name} {version(name)}" for name in LIBRARIES if _is_installed(name)]
    return f"Python {sys.version.split()[0]}, " + ", ".join(named)


def _is_installed(name: str) -> bool:
    return (
        find_spec(
            {"throttled-py": "throttled", "valkey-glide": "glide"}.get(name, name.replace("-", "_"))
        )
        is not None
    )


def main() -> None:
    if len(sys.argv) > 1:
        name, url, tasks, loop = sys.argv[1:]
        one(name, url, int(tasks), loop)
        return
    from redis_servers import Server
    from redis_topologies import Cluster

    everyone = list(CONTESTANTS)
    columns = (TextColumn("{task.description:30}"), BarColumn(), MofNCompleteColumn())
    loops = ["asyncio"] if QUICK or not find_spec("uvloop") else ["asyncio", "uvloop"]
    with Progress(*columns, console=Console(stderr=True)) as progress:
        with Server() as server:
            figures = Figures(versions(), alone(server.url, progress))
            for loop in loops:
                figures.tables[loop] = measured(everyone, server.url, loop, progress, loop)
        with Server() as server:
            figures.threads = in_threads(server.url, REPEATS, SECONDS, WARM)
        with Server() as server:
            figures.gates = of_gates(server.url, REPEATS, SECONDS, WARM)
        if not QUICK:
            with Cluster() as cluster:
                what = "asyncio, Redis Cluster"
                figures.tables[what] = measured(
                    ON_A_CLUSTER, cluster.url, "asyncio", progress, what
                )
    out = ROOT / "bench-output"
    out.mkdir(exist_ok=True)
    (out / "redis.json").write_text(json.dumps(vars(figures), indent=1))
    (out / "redis.md").write_text(markdown(figures))
    picture(figures, out / "redis.png")
    print(markdown(figures))
    print(f"{out.name}/: redis.json, redis.md, redis.png")


if __name__ == "__main__":
    main()
