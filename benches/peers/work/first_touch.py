"""Clients that nobody has seen before, beside inserting them into a dict."""

from __future__ import annotations

import random
import time

from benches.peers.library import Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import FEW, HOUR
from benches.peers.timing import block, chosen, no_collections


def fresh_keys(seed: int, count: int) -> list[str]:
    """Strings whose hash is not yet known (a ``str`` remembers it)."""
    draw = random.Random(seed).getrandbits
    return [f"{draw(64):016x}" for _ in range(count)]


def insert(keys: list[str]) -> int:
    held: dict[str, int] = {}
    start = time.perf_counter_ns()
    for key in keys:
        held[key] = 1
    return time.perf_counter_ns() - start


def measure(library: Library, task: Task) -> list[Sample]:
    found: list[Sample] = []
    for each in chosen(library.contestants, task.who, many_clients=True):
        assert each.make is not None
        call = each.make(FEW, HOUR)
        with no_collections():
            floor = insert(fresh_keys(task.round, each.first_keys)) / each.first_keys
            took = block(call, fresh_keys(task.round, each.first_keys)) / each.first_keys
        found.append(Sample("a key", each.name, each.algorithm, took, "ns", floor))
    return found
