"""Four threads with a client each: how long a check takes all of them together."""

from __future__ import annotations

import threading
import time

from benches.peers.library import Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import CALLS, HOUR, PLENTY
from benches.peers.timing import Call, block, chosen, floor_and_loop, no_collections

THREADS = 4


def together(call: Call) -> float:
    """Nanoseconds a check, of the time from the start of all to the end of the last."""
    ready = threading.Barrier(THREADS + 1)

    def client(number: int) -> None:
        keys = [f"client {number}"] * CALLS
        call(keys[0])
        ready.wait()
        block(call, keys)

    clients = [threading.Thread(target=client, args=(n,)) for n in range(THREADS)]
    for each in clients:
        each.start()
    ready.wait()
    start = time.perf_counter_ns()
    for each in clients:
        each.join()
    return (time.perf_counter_ns() - start) / (THREADS * CALLS)


def measure(library: Library, task: Task) -> list[Sample]:
    found: list[Sample] = []
    for each in chosen(library.contestants, task.who, many_clients=True):
        assert each.make is not None
        call = each.make(PLENTY, HOUR)
        with no_collections():
            floor, _ = floor_and_loop(["client 0"] * CALLS)
            found.append(Sample("a check", each.name, each.algorithm, together(call), "ns", floor))
    return found
