"""Many clients fall silent for some windows while one goes on: what stays in memory?"""

from __future__ import annotations

import time

from benches.peers.library import Contestant, Library
from benches.peers.resident import filled_holes, resident, settled
from benches.peers.sample import Sample, Task
from benches.peers.settings import HOT, IDLE_CLIENTS, requests_from
from benches.peers.timing import block, chosen

WINDOW = 1
# The counters need two windows to forget; some libraries sweep by a timer.
SILENCE = 2.5
CALLS_BEFORE_LOOKING = 20_000


def kept(each: Contestant) -> tuple[float, float]:
    """Bytes a client while all are live, and after the silence."""
    assert each.make is not None
    settled()
    holes = filled_holes()
    before = resident()
    call = each.make(100, WINDOW)
    block(call, requests_from(IDLE_CLIENTS))
    settled()
    live = resident() - before
    end = time.monotonic() + SILENCE
    while time.monotonic() < end:
        call(HOT)
        time.sleep(0.0005)
    block(call, [HOT] * CALLS_BEFORE_LOOKING)
    settled()
    left = resident() - before
    del holes
    return live / IDLE_CLIENTS, left / IDLE_CLIENTS


def measure(library: Library, task: Task) -> list[Sample]:
    found: list[Sample] = []
    for each in chosen(library.contestants, task.who, many_clients=True):
        for row, value in zip(("live", "after the silence"), kept(each), strict=True):
            found.append(Sample(row, each.name, each.algorithm, value, "bytes"))
    return found
