"""The same keys handed over at once, where a library takes them so."""

from __future__ import annotations

import random
import time

from benches.peers.library import Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import HOUR, KEYS, PLENTY, addresses
from benches.peers.timing import floor_and_loop, no_collections


def measure(library: Library, task: Task) -> list[Sample]:
    known = addresses(KEYS)
    shuffled = random.Random(task.round).sample(known, KEYS)
    found: list[Sample] = []
    for each in library.contestants:
        if each.many is None:
            continue
        call = each.many(PLENTY, HOUR)
        call(known)
        with no_collections():
            floor, _ = floor_and_loop(shuffled)
            start = time.perf_counter_ns()
            call(shuffled)
            took = (time.perf_counter_ns() - start) / KEYS
        found.append(Sample("a key", each.name, each.algorithm, took, "ns", floor))
    return found
