"""Resident bytes a client, after one request of each and after a hundred."""

from __future__ import annotations

import time

from benches.peers.library import Contestant, Library
from benches.peers.resident import filled_holes, resident, settled
from benches.peers.sample import Sample, Task
from benches.peers.settings import FEW, HOUR, MEMORY_SECONDS, addresses, requests_from, sized
from benches.peers.timing import block, chosen

FEWEST, MOST = sized(1_000, 5_000), 200_000


def clients_for(each: Contestant, requests: int) -> int:
    """As many as take about the time allowed: small states need many to be seen."""
    assert each.make is not None
    call, some = each.make(FEW, HOUR), addresses(1_000)
    start = time.perf_counter()
    block(call, some)
    seconds = (time.perf_counter() - start) / len(some) * requests
    return min(max(int(MEMORY_SECONDS / seconds), FEWEST), MOST)


def bytes_a_client(each: Contestant, requests: int) -> float:
    assert each.make is not None
    clients = clients_for(each, requests)
    settled()
    holes = filled_holes()
    before = resident()
    call = each.make(FEW, HOUR)
    for _ in range(requests):
        block(call, requests_from(clients))
    grown = resident() - before
    del holes
    return grown / clients


def measure(library: Library, task: Task) -> list[Sample]:
    assert task.row is not None
    requests = int(task.row.split()[0])
    return [
        Sample(task.row, each.name, each.algorithm, bytes_a_client(each, requests), "bytes")
        for each in chosen(library.contestants, task.who, many_clients=True)
    ]
