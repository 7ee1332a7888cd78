"""Measure, and write the JSON, the tables and the pictures into ``bench-output``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from benches.peers.crew import Crew, assembled
from benches.peers.figures import figures
from benches.peers.process import SectionError
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
    parser.add_argument("--add", action="store_true", help="keep the rest of the last run")
    parser.add_argument("--libraries", nargs="+", help="only these, and sluicegate")
    return parser.parse_args()


def measure(
    sections: Sequence[Section], crew: Crew, progress: Progress, seconds: dict[str, float]
) -> list[Outcome]:
    outcomes: list[Outcome] = []
    bar = progress.add_task("", total=sum(steps(each, crew.workers) for each in sections))

    def tell(outcome: Outcome) -> None:
        outcomes.append(outcome)
        progress.advance(bar)

    for section in sections:
        progress.update(bar, description=section.title)
        start = time.monotonic()
        try:
            run_section(section, crew.of(section), tell)
        except SectionError as why:
            outcomes.append(Outcome(section.name, "all", 0, failed=str(why)))
            progress.advance(bar, steps(section, crew.workers))
        seconds[section.name] = round(time.monotonic() - start, 1)
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
        crew = assembled(stack, asked.libraries)
        results.versions = {worker.name: worker.version for worker in crew.workers}
        results.skipped = crew.skipped
        print(who_took_part(results), flush=True)
        progress = stack.enter_context(Progress(*columns, TimeElapsedColumn(), console=console))
        sections = [section for section in SECTIONS if section.name in asked.only]
        outcomes = measure(sections, crew, progress, results.seconds)
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
