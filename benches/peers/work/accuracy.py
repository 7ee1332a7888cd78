"""Decisions under traffic whose times are given, on a clock that is moved."""

from __future__ import annotations

from benches.peers.clock.moved import move_to
from benches.peers.library import Contestant, Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import HOT
from benches.peers.timing import chosen
from benches.peers.traffic import LIMIT, TRAFFIC, WINDOW, Verdict


def decisions(each: Contestant, arrivals: list[float]) -> list[bool]:
    assert each.make is not None
    move_to(0)
    call, found = each.make(LIMIT, WINDOW), list[bool]()
    for now in arrivals:
        move_to(now)
        found.append(each.admitted(call(HOT)))
    return found


def measure(library: Library, task: Task) -> list[Sample]:
    found: list[Sample] = []
    for each in chosen(library.contestants, task.who):
        for name, arrive in TRAFFIC.items():
            arrivals = arrive()
            verdict = Verdict(arrivals, decisions(each, arrivals))
            for what, value, unit in (
                ("worst window", verdict.worst, "× limit"),
                ("wrongly admitted", verdict.wrongly_admitted * 100, "%"),
                ("wrongly refused", verdict.wrongly_refused * 100, "%"),
            ):
                row = f"{name}: {what}"
                found.append(Sample(row, each.name, each.algorithm, value, unit))
    return found
