"""Four processes that share one limit: checks a second of all of them together."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benches.peers.across import Place, Way, ways_of
from benches.peers.across.crowd import Counted, asked
from benches.peers.across.servers import missing, serving
from benches.peers.library import Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import ACROSS_SECONDS, FEW

PROCESSES = 4


def together(way: Way, limit: int) -> Counted:
    with tempfile.TemporaryDirectory() as folder, serving(way.needs) as url:
        return asked(way.prepare(Place(Path(folder), url), limit), PROCESSES, ACROSS_SECONDS)


def measure(library: Library, task: Task) -> list[Sample]:
    found: list[Sample] = []
    for way in ways_of(library.name):
        if why := missing(way.needs):
            print(f"not measured: {way.library} {way.who}: {why}", flush=True)
            continue
        plenty, few = together(way, way.endless), together(way, FEW)
        for row, value, unit in (
            ("admitted", plenty.admitted_per_second, "checks/s"),
            ("refused", few.per_second, "checks/s"),
            (f"admitted of {FEW}", few.admitted, ""),
        ):
            found.append(Sample(row, way.who, way.algorithm, value, unit))
    return found
