"""The processes that measure, started together: importing takes most of a second each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from subprocess import CalledProcessError

from benches.peers.clock.moved import MovedClock
from benches.peers.library import OURS, module_names
from benches.peers.process import SectionError, Worker
from benches.peers.work import Section


def started(
    stack: ExitStack, modules: Sequence[str], environment: Mapping[str, str]
) -> tuple[list[Worker], dict[str, str]]:
    """A worker for each library that is there, and why the others are not."""
    workers: list[Worker] = []
    skipped: dict[str, str] = {}
    for worker in [stack.enter_context(Worker(module, environment)) for module in modules]:
        try:
            why = worker.introduce()
        except SectionError as error:
            why = str(error)
        if why:
            skipped[worker.name] = why
        else:
            workers.append(worker)
    return workers, skipped


@dataclass
class Crew:
    """Workers that measure, workers that only fork, and workers whose clock is moved.

    The last two are started when a section first wants them.
    """

    stack: ExitStack
    workers: list[Worker]
    skipped: dict[str, str]
    _forking: list[Worker] = field(default_factory=list[Worker])
    _moved: list[Worker] = field(default_factory=list[Worker])

    @property
    def _modules(self) -> list[str]:
        return [worker.module for worker in self.workers]

    def of(self, section: Section) -> list[Worker]:
        """Raises ``SectionError`` if the clock cannot be built."""
        if section.moved_clock:
            self._moved = self._moved or self._with_moved_clock()
            return self._moved
        if section.fresh:
            self._forking = self._forking or started(self.stack, self._modules, {})[0]
            return self._forking
        return self.workers

    def _with_moved_clock(self) -> list[Worker]:
        try:
            environment = self.stack.enter_context(MovedClock())
        except (OSError, CalledProcessError) as why:
            raise SectionError(f"the clock that can be moved was not built: {why}") from why
        return started(self.stack, self._modules, environment)[0]


def assembled(stack: ExitStack, wanted: Sequence[str] | None) -> Crew:
    """A crew for the libraries of these names, and ours; for all if there are none."""
    workers, skipped = started(stack, module_names(), {})
    if wanted is not None:
        workers = [each for each in workers if each.name in (*wanted, OURS)]
    return Crew(stack, workers, skipped)
