"""Four threads that press one client's limit, switched every microsecond."""

from __future__ import annotations

import sys
import threading

from benches.peers.library import Contestant, Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import CALLS, FEW, HOT, HOUR, RACES
from benches.peers.timing import chosen

THREADS = 4
PRESSES = 100  # by each thread: four times the limit in all


def admitted_in_a_race(each: Contestant) -> int:
    assert each.make is not None
    call, counts, ready = each.make(FEW, HOUR), [0] * THREADS, threading.Barrier(THREADS)

    def press(number: int) -> None:
        ready.wait()
        counts[number] = sum(each.admitted(call(HOT)) for _ in range(PRESSES))

    pressing = [threading.Thread(target=press, args=(n,)) for n in range(THREADS)]
    for thread in pressing:
        thread.start()
    for thread in pressing:
        thread.join()
    return sum(counts)


def measure(library: Library, task: Task) -> list[Sample]:
    found: list[Sample] = []
    usual = sys.getswitchinterval()
    for each in chosen(library.contestants, task.who):
        sys.setswitchinterval(1e-6)
        races = max(RACES * each.calls // CALLS, 1)
        counts = [admitted_in_a_race(each) for _ in range(races)]
        sys.setswitchinterval(usual)
        for row, value in (("most admitted", max(counts)), ("fewest admitted", min(counts))):
            found.append(Sample(row, each.name, each.algorithm, value, "of 100"))
    return found
