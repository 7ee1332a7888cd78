"""Runs the sections: libraries take turns, so that a slow moment of the machine hits all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from subprocess import CalledProcessError

from benches.peers.clock.moved import MovedClock
from benches.peers.process import SectionFailed, Worker
from benches.peers.sample import Sample, Task
from benches.peers.work import Section

AT_ONCE = 2


@dataclass(frozen=True)
class Outcome:
    """What a library did in one round of a section."""

    section: str
    library: str
    round: int
    samples: Sequence[Sample] = ()
    failed: str = ""


Tell = Callable[[Outcome], None]


def steps(section: Section, workers: Sequence[Worker]) -> int:
    """How many outcomes the section will have."""
    if not section.fresh:
        return section.rounds * len(workers)
    return section.rounds * sum(1 for worker in workers for _ in tasks(section, worker, 0))


def tasks(section: Section, worker: Worker, round: int) -> Iterator[Task]:
    for who in worker.contestants:
        for row in section.rows or (None,):
            yield Task(section.name, who, row, round)


def outcome(worker: Worker, task: Task) -> Outcome:
    """One round; what goes wrong in it is told, not raised."""
    try:
        samples = worker.measure(task)
    except (SectionFailed, OSError) as why:
        who = f"{task.who}: " if task.who else ""
        return Outcome(task.section, worker.name, task.round, failed=f"{who}{why}")
    return Outcome(task.section, worker.name, task.round, samples)


def in_fresh_process(module: str, task: Task, environment: Mapping[str, str]) -> Outcome:
    with Worker(module, environment) as worker:
        return outcome(worker, task)


def run_fresh(
    section: Section, workers: Sequence[Worker], environment: Mapping[str, str], tell: Tell
) -> None:
    todo = [
        (worker.module, task)
        for round in range(section.rounds)
        for worker in workers
        for task in tasks(section, worker, round)
    ]
    with ThreadPoolExecutor(AT_ONCE if section.apart else 1) as pool:
        for found in pool.map(lambda each: in_fresh_process(*each, environment), todo):
            tell(found)


def run_section(section: Section, workers: Sequence[Worker], tell: Tell) -> None:
    """Measure the section with every worker, and tell each outcome."""
    if section.moved_clock:
        try:
            with MovedClock() as environment:
                return run_fresh(section, workers, environment, tell)
        except (OSError, CalledProcessError) as why:
            failed = f"the clock that can be moved was not built: {why}"
            for worker in workers:
                tell(Outcome(section.name, worker.name, 0, failed=failed))
    elif section.fresh:
        run_fresh(section, workers, {}, tell)
    else:
        for round in range(section.rounds):
            for worker in workers:
                tell(outcome(worker, Task(section.name, round=round)))
