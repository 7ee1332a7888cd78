"""Measure, and write the JSON, the tables and the pictures into ``bench-output``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from benches.peers.figures import figures
from benches.peers.library import module_names
from benches.peers.process import SectionFailed, Worker
from benches.peers.report.plots import plots
from benches.peers.report.readme import fragment
from benches.peers.report.tables import report, who_took_part
from benches.peers.results import Results, merged, read
from benches.peers.schedule import Outcome, run_section, steps
from benches.peers.settings import OUTPUT
from benches.peers.work import SECTIONS, Section
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

JSON = OUTPUT / "peers.json"


def arguments() -> argparse.Namespace:
    names = [section.name for section in SECTIONS]
    parser = argparse.ArgumentParser(prog="python -m benches.peers", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these sections")
    parser.add_argument("--add", action="store_true", help="keep the last run's other sections")
    parser.add_argument("--libraries", nargs="+", help="only these, and sluicegate")
    return parser.parse_args()


def started(stack: ExitStack, wanted: Sequence[str] | None, results: Results) -> list[Worker]:
    """A worker for each library that is there; the others are named as skipped."""
    workers: list[Worker] = []
    for module in module_names():
        try:
            worker = stack.enter_context(Worker(module))
        except SectionFailed as why:
            results.skipped[module] = str(why)
            continue
        if worker.skipped:
            results.skipped[worker.name] = worker.skipped
        elif wanted is None or worker.name in (*wanted, "sluicegate"):
            results.versions[worker.name] = worker.version
            workers.append(worker)
    return workers


def measure(
    sections: Sequence[Section], workers: Sequence[Worker], progress: Progress
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    bar = progress.add_task("", total=sum(steps(section, workers) for section in sections))

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        progress.advance(bar)

    for section in sections:
        progress.update(bar, description=section.title)
        run_section(section, workers, tell)
    return outcomes


def write(results: Results) -> None:
    OUTPUT.mkdir(exist_ok=True)
    results.save(JSON)
    (OUTPUT / "peers.md").write_text(report(results))
    (OUTPUT / "readme.md").write_text(fragment(results))
    drawn = ", ".join(path.name for path in plots(results, OUTPUT))
    print(f"\n{OUTPUT.name}/: {JSON.name}, peers.md, readme.md, {drawn}")


def main() -> None:
    asked = arguments()
    results = Results()
    console = Console(stderr=True)
    columns = (TextColumn("{task.description:30}"), BarColumn(), MofNCompleteColumn())
    with ExitStack() as stack:
        workers = started(stack, asked.libraries, results)
        print(who_took_part(results), flush=True)
        progress = stack.enter_context(Progress(*columns, TimeElapsedColumn(), console=console))
        sections = [section for section in SECTIONS if section.name in asked.only]
        outcomes = measure(sections, workers, progress)
    results.figures = figures(outcomes)
    failures = {
        f"{each.library}, {each.section}: {each.failed}" for each in outcomes if each.failed
    }
    results.failed = sorted(failures)
    if asked.add and JSON.exists():
        results = merged(read(JSON), results)
    write(results)
    print(f"\n{report(results)}")
    sys.exit(bool(results.failed))


if __name__ == "__main__":
    main()
