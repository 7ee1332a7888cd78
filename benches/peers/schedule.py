"""Runs the sections: libraries take turns, so that a slow moment of the machine hits all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from benches.peers.process import SectionError, Worker
from benches.peers.sample import Sample, Task
from benches.peers.work import Section


@dataclass(frozen=True)
class Outcome:
    """What a library did in one round of a section."""

    section: str
    library: str
    round: int
    samples: Sequence[Sample] = ()
    failed: str = ""


Tell = Callable[[Outcome], None]


def tasks(section: Section, worker: Worker, turn: int) -> Iterator[Task]:
    """What one library is asked in one round."""
    if not section.fresh:
        yield Task(section.name, round=turn)
        return
    for who in worker.contestants:
        for row in section.rows or (None,):
            yield Task(section.name, who, row, turn, fresh=True)


def steps(section: Section, workers: Sequence[Worker]) -> int:
    """How many outcomes the section will have."""
    return section.rounds * sum(1 for each in workers for _ in tasks(section, each, 0))


def outcome(worker: Worker, task: Task) -> Outcome:
    """One round; what goes wrong in it is told, not raised."""
    try:
        samples = worker.measure(task)
    except (SectionError, OSError) as why:
        who = f"{task.who}: " if task.who else ""
        return Outcome(task.section, worker.name, task.round, failed=f"{who}{why}")
    return Outcome(task.section, worker.name, task.round, samples)


def run_section(section: Section, workers: Sequence[Worker], tell: Tell) -> None:
    """Measure the section with every worker, and tell each outcome."""

    def turn_of(worker: Worker, turn: int) -> None:
        for task in tasks(section, worker, turn):
            tell(outcome(worker, task))

    for turn in range(section.rounds):
        with ThreadPoolExecutor(section.at_once) as pool:
            for done in [pool.submit(turn_of, worker, turn) for worker in workers]:
                done.result()
