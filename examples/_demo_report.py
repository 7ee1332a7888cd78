"""The demo's words: progress, the table, and whether everything was as promised."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from _demo_load import Outcome
from _demo_overhead import Overhead
from _demo_story import Story
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


def introduction(story: Story, outcomes: list[Outcome]) -> str:
    promises = "\n".join(f"  {o.contestant.name:<14}  {o.contestant.promise}" for o in outcomes)
    return (
        f"{len(story.arrivals)} real requests to each of these, at the same times, "
        f"in {story.end:g} s:\n{promises}"
    )


class Live:
    """Shows the story as it happens: bars on a terminal, else a line a second."""

    def __init__(self, console: Console, story: Story, outcomes: list[Outcome]) -> None:
        self.every = 0.1 if console.is_terminal else min(1.0, story.window / 2)
        self._console = console
        self._story = story
        self._outcomes = outcomes
        self._progress = Progress(
            TextColumn("{task.description:<15}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks = [
            self._progress.add_task(o.contestant.name, total=len(story.arrivals), note="")
            for o in outcomes
        ]

    @contextmanager
    def shown(self) -> Generator[None, None, None]:
        with self._progress:
            yield
            self._update("done")

    def __call__(self, now: float) -> None:
        phase = "about to start" if now < 0 else self._story.phase_at(now)
        self._update(phase)
        if not self._console.is_terminal and now >= 0:
            counts = ", ".join(
                f"{o.contestant.name} {o.count(admitted=True)}+{o.count(admitted=False)}"
                for o in self._outcomes
            )
            line = f"{now:5.1f} s  {phase:<13} admitted+refused: {counts}"
            self._console.print(line, soft_wrap=True)

    def _update(self, phase: str) -> None:
        for task, outcome in zip(self._tasks, self._outcomes, strict=True):
            admitted, refused = outcome.count(admitted=True), outcome.count(admitted=False)
            note = f"{phase:<14} [green]{admitted:>4} admitted[/] [red]{refused:>4} refused[/]"
            self._progress.update(task, completed=len(outcome.answers), note=note)


def results(story: Story, outcomes: list[Outcome], overhead: Overhead) -> Table:
    table = Table(title="Every limiter got the same requests", title_justify="left")
    table.add_column("limiter")
    worst = f"worst in\nany {story.window:g} s"
    for heading in ("arrived", "admitted", "refused", worst, "overhead\nµs/request"):
        table.add_column(heading, justify="right")
    for outcome, added in zip(outcomes, overhead.added, strict=True):
        counts = (len(outcome.answers), outcome.count(admitted=True), outcome.count(admitted=False))
        table.add_row(
            outcome.contestant.name,
            *map(str, counts),
            str(outcome.worst(story.window)),
            f"{added:.1f}",
        )
    return table


def by_phase(story: Story, outcomes: list[Outcome]) -> Table:
    table = Table(title="Admitted, phase by phase", title_justify="left")
    table.add_column("limiter")
    for phase in story.phases:
        heading = phase.name.replace(" ", "\n") if " " in phase.name else f"\n{phase.name}"
        table.add_column(f"{heading}\nof {phase.requests}", justify="right")
    for outcome in outcomes:
        counts = [outcome.count(admitted=True, start=p.start, end=p.end) for p in story.phases]
        table.add_row(outcome.contestant.name, *map(str, counts))
    return table


def _in_bursts(story: Story, outcome: Outcome) -> int:
    """Admitted on both sides of the boundary, within less than half a window."""
    before, after = story.bursts
    return outcome.count(admitted=True, start=before.start, end=after.end)


def what_to_see(story: Story, outcomes: list[Outcome]) -> str:
    fixed, sliding, bucket = (_in_bursts(story, outcome) for outcome in outcomes)
    before, after = story.bursts
    spread = after.end - before.start
    return (
        f"What to see: around the boundary at {story.boundary:g} s the fixed window let {fixed} "
        f"requests through in {spread:.2g} s, though its quota is {story.limit} in "
        f"{story.window:g} s, since a new window began between the two bursts. The sliding "
        f"window let {sliding} through and refused the rest. The token bucket let {bucket} "
        f"through: its {story.limit} at once, and then only what it refills."
    )


def how_measured(overhead: Overhead) -> str:
    return (
        "Worst in any window: counted from the server's own stamps around each decision. "
        "Overhead: what the middleware adds to an admitted request, headers included; the same "
        "app called in one process with and without it, in turns; medians (without it "
        f"{overhead.bare:.0f} µs)."
    )


def lateness(outcomes: list[Outcome]) -> str:
    late = sorted(answer.sent - answer.due for o in outcomes for answer in o.answers)
    middle, tail = late[len(late) // 2], late[len(late) * 99 // 100]
    return f"Requests left {middle * 1e3:.1f} ms after their time (median; 99 %: {tail * 1e3:.1f})."


def complaints(story: Story, outcomes: list[Outcome]) -> list[str]:
    """What did not go as promised; empty when all is well."""
    found: list[str] = []
    for outcome in outcomes:
        name, bound = outcome.contestant.name, outcome.contestant.bound
        if odd := {a.status for a in outcome.answers} - {200, 429}:
            found.append(f"{name}: unexpected answers, status {sorted(odd)}")
        if (got := len(outcome.answers)) != (sent := len(story.arrivals)):
            found.append(f"{name}: {got} answers to {sent} requests")
        if (worst := outcome.worst(story.window)) > bound:
            found.append(f"{name}: admitted {worst} in one window, more than {bound}")
        if (first := _in_bursts(story, outcome)) < story.limit:
            found.append(f"{name}: admitted only {first} of {story.limit} in the bursts")
    if _in_bursts(story, outcomes[0]) < 1.5 * story.limit:
        found.append("the bursts missed the boundary: this machine was too busy, try again")
    return found
