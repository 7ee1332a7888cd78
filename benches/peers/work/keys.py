"""Many clients that are known already, in random order."""

from __future__ import annotations

import random

from benches.peers.library import Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import HOUR, KEYS, PLENTY, addresses
from benches.peers.timing import block, chosen, timed


def measure(library: Library, task: Task) -> list[Sample]:
    known = addresses(KEYS)
    shuffled = random.Random(task.round).sample(known, KEYS)
    found: list[Sample] = []
    for each in chosen(library.contestants, task.who, many_clients=True):
        assert each.make is not None
        call = each.make(PLENTY, HOUR)
        block(call, known)
        found.append(timed("admitted", each, call, shuffled))
    return found
