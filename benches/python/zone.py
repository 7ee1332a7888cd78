"""What a check in a zone costs, beside the same check in memory; and with four processes at once."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count, repeat
from pathlib import Path
from statistics import median
from typing import Any

from benches.python import gate
from benches.python.core import CALLS, FEW, HOT, PLENTY, ROUNDS
from benches.python.harness import (
    QUICK,
    Figure,
    empty_loop,
    one_key,
    paired,
    save,
    say,
    show,
    summary,
)

import sluicegate
from sluicegate import Limit, shared

MAY_COST = 1.2
#: On two cores, of which a process has a half.
OF_FOUR_MAY_COST = 3.0
PROCESSES = 4
EACH = 200_000 if QUICK else 1_000_000
CROWDS = 5 if QUICK else 21
#: More than all rounds of a crowd use up.
CROWDED = "4000000000/hour"
ROOT = Path(__file__).resolve().parents[2]
KINDS = {
    "fixed_window": "FixedWindow",
    "segmented_window": "SegmentedWindow",
    "sliding_counter": "SlidingWindowCounter",
    "token_bucket": "TokenBucket",
}


def pair(kind: str, zone: str, limit: int) -> tuple[Any, Any]:
    """A limiter in memory, and the same in a zone."""
    quota = f"{limit}/hour"
    here, there = getattr(sluicegate, kind)(quota), getattr(shared, kind)
    return here, there(zone, quota, name=f"bench {limit}")


def ratios(kind: str, zone: str) -> Iterator[Figure]:
    """A check in the zone in multiples of one in memory, the loop taken off both."""
    for how, limit in (("admitted", PLENTY), ("refused", FEW)):
        for verb in ("is_allowed", "check"):
            here, there = (getattr(each, verb) for each in pair(kind, zone, limit))
            for call in (here, there):
                for _ in range(2 * FEW):
                    call(HOT)
            floors = [empty_loop(CALLS), one_key(here, HOT, CALLS)]
            times = paired({"zone": one_key(there, HOT, CALLS)}, floors, ROUNDS)["zone"]
            shares = [(took - loop) / (memory - loop) for loop, memory, took in times]
            took = [(took - loop) / CALLS for loop, _, took in times]
            yield summary(f"{verb}, {how}: {kind}", shares, "×", MAY_COST)
            yield summary(f"{verb}, {how}: {kind}, a call", took, "ns")


def gates(zone: str) -> gate.Place:
    """A gate in the zone, and its limiters: none has the name of one before."""
    numbers = count()

    def made(limits: list[Limit]) -> Any:
        return shared.Gate(zone, limits, name=f"gate {next(numbers)}")

    def limiter(algorithm: str, quota: str) -> Any:
        return getattr(shared, KINDS[algorithm])(zone, quota, name=f"single {next(numbers)}")

    return gate.Place(made, limiter)


def nanoseconds(check: Any, keys: list[str]) -> float:
    """Of a call, in a run that is long enough for other processes to run at the same time."""
    start = time.perf_counter_ns()
    for _ in repeat(None, EACH // len(keys)):
        for key in keys:
            check(key)
    return (time.perf_counter_ns() - start) / EACH


def keys_of(how: str) -> list[str]:
    return [HOT] if how == "one key" else [f"10.0.{n // 250}.{n % 250}" for n in range(10_000)]


def crowd(zone: str) -> Iterator[Figure]:
    """The time of a call in each of four processes, in multiples of one in memory, alone just before."""
    for how in ("one key", "10,000 keys"):
        keys, alone = keys_of(how), sluicegate.FixedWindow(CROWDED).is_allowed
        nanoseconds(alone, keys)
        command = [sys.executable, "-m", "benches.python.zone", zone, how]
        pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        processes = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(PROCESSES)]
        at_once_in(processes)  # each has begun
        rounds = [(nanoseconds(alone, keys), at_once_in(processes)) for _ in range(CROWDS)]
        for each in processes:
            each.communicate()
        row = f"FixedWindow, {PROCESSES} processes, {how}"
        note = f"{median(together for _, together in rounds):.0f} ns"
        ratios = [together / alone for alone, together in rounds]
        yield summary(row, ratios, "×", OF_FOUR_MAY_COST, note)


def at_once_in(processes: list[Any]) -> float:
    """The median time of a call, when all of them call at once."""
    for each in processes:
        each.stdin.write("go\n")
        each.stdin.flush()
    return median(float(each.stdout.readline()) for each in processes)


def one_of_the_crowd(zone: str, how: str) -> None:
    limiter = shared.FixedWindow(zone, CROWDED, name=f"crowd, {how}")
    keys = keys_of(how)
    limiter.is_allowed_many(keys)
    for _ in sys.stdin:
        print(nanoseconds(limiter.is_allowed, keys), flush=True)


def main() -> None:
    if len(sys.argv) > 1:
        one_of_the_crowd(*sys.argv[1:])
        return
    found: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        zone = f"shared://{folder}/bench.zone?size=10m"
        for kind in KINDS.values():
            say(f"zone: {kind} ...")
            found.extend(ratios(kind, zone))
        of_gates: list[Figure] = []
        for algorithm in KINDS:
            say(f"zone: a gate, {algorithm} ...")
            of_gates.extend(gate.figures(gates(zone), algorithm, None))
        say(f"zone: {PROCESSES} processes ...")
        found.extend(crowd(zone))
    about = "Multiples of the same call in memory, measured just before by one process; medians."
    show("A check in a zone", about, found)
    about = "Multiples of a `check` of each of the three in the same zone, measured just before; medians."
    show("A gate of three limits in a zone", about, of_gates)
    save("zone", [*found, *of_gates])


if __name__ == "__main__":
    main()
