"""Every single call timed, while many clients are held."""

from __future__ import annotations

import random
import time
from array import array

from benches.peers.library import Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import FEW, HOUR, RESIDENT_KEYS, TIMED_CALLS, addresses
from benches.peers.timing import Call, block, chosen

# The collector stays on: its pauses are the caller's, too.
POINTS = {"p50": 0.50, "p99": 0.99, "p99.9": 0.999, "max": 1.0}


def each_timed(call: Call, keys: list[str]) -> list[int]:
    took, now = array("q"), time.perf_counter_ns
    for key in keys:
        start = now()
        call(key)
        took.append(now() - start)
    return sorted(took)


def measure(library: Library, task: Task) -> list[Sample]:
    known = addresses(RESIDENT_KEYS)
    keys = random.Random(task.round).choices(known, k=TIMED_CALLS)
    found: list[Sample] = []
    for each in chosen(library.contestants, task.who, many_clients=True):
        assert each.make is not None
        floor = each_timed(dict.fromkeys(known, 0).get, keys)
        call = each.make(FEW, HOUR)
        block(call, known)
        took = each_timed(call, keys)
        for point, share in POINTS.items():
            at = min(int(len(took) * share), len(took) - 1)
            found.append(Sample(point, each.name, each.algorithm, took[at], "ns", float(floor[at])))
    return found
