"""One client, over and over: admitted, refused, and with a full result."""

from __future__ import annotations

from benches.peers.library import Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import FEW, HOT, HOUR, PLENTY
from benches.peers.timing import chosen, timed


def measure(library: Library, task: Task) -> list[Sample]:
    found: list[Sample] = []
    for each in chosen(library.contestants, task.who):
        assert each.make is not None
        keys = [HOT] * each.calls
        # Made anew for each block: a log would grow with every round.
        admitted, refused = each.make(PLENTY, HOUR), each.make(FEW, HOUR)
        for _ in range(2 * FEW):
            refused(HOT)
        if each.admitted(refused(HOT)) or not each.admitted(admitted(HOT)):
            raise RuntimeError(f"{each.name} does not limit")
        found.append(timed("admitted", each, admitted, keys))
        found.append(timed("refused", each, refused, keys))
        if each.full is not None:
            full = each.full(PLENTY, HOUR)
            full(HOT)
            found.append(timed("full result, admitted", each, full, keys))
    return found
