"""Interleaved repeats, medians and spreads, and the tables that show them."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import repeat
from pathlib import Path
from statistics import median, quantiles

QUICK = bool(os.environ.get("QUICK"))
OUTPUT = Path(__file__).resolve().parents[2] / "bench-output"

Case = Callable[[], int]
"""Runs something once; returns the nanoseconds that it took."""


@dataclass(frozen=True)
class Figure:
    """One measured value beside the most (or least) that it may be."""

    what: str
    value: float
    unit: str
    bar: float | None = None
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.bar is None:
            return ""
        return "ok" if self.value <= self.bar else "OVER"


def say(text: str) -> None:
    """Progress, beside the tables."""
    print(text, file=sys.stderr, flush=True)


def paired(
    cases: dict[str, Case], floors: Sequence[Case], rounds: int
) -> dict[str, list[tuple[int, ...]]]:
    """Nanoseconds of every case in every round, after those of the floors just before it.

    The cases take turns and each has floors of its own, so what disturbs the machine
    for a while disturbs both sides of a comparison. Keep a case near a millisecond:
    most of them then run between two switches to another process.
    """
    times: dict[str, list[tuple[int, ...]]] = {name: [] for name in cases}
    for case in (*cases.values(), *floors):
        case()
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, case in cases.items():
                times[name].append((*(floor() for floor in floors), case()))
    finally:
        gc.enable()
    return times


def one_key(function: Callable[[str], object], key: str, calls: int) -> Case:
    """Call ``function(key)`` that many times."""

    def case() -> int:
        start = time.perf_counter_ns()
        for _ in repeat(None, calls):
            function(key)
        return time.perf_counter_ns() - start

    return case


def many_keys(function: Callable[[str], object], keys: Sequence[str]) -> Case:
    """Call ``function`` with each of the keys."""

    def case() -> int:
        start = time.perf_counter_ns()
        for key in keys:
            function(key)
        return time.perf_counter_ns() - start

    return case


def at_once(function: Callable[[list[str]], object], keys: list[str]) -> Case:
    """One call with all of the keys."""

    def case() -> int:
        start = time.perf_counter_ns()
        function(keys)
        return time.perf_counter_ns() - start

    return case


def empty_loop(calls: int) -> Case:
    """What the loop itself costs; to be subtracted from both sides of a ratio."""

    def case() -> int:
        start = time.perf_counter_ns()
        for _ in repeat(None, calls):
            pass
        return time.perf_counter_ns() - start

    return case


def summary(
    what: str, samples: Sequence[float], unit: str, bar: float | None = None, note: str = ""
) -> Figure:
    """Median, and the spread that four of five rounds stay in."""
    tenths = quantiles(samples, n=10) if len(samples) > 1 else [samples[0]] * 9
    return Figure(what, median(samples), unit, bar, tenths[0], tenths[-1], note)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"


def show(title: str, about: str, figures: Iterable[Figure]) -> None:
    """Print a Markdown table."""
    print(f"\n## {title}\n\n{about}\n")
    rows = [("what", "measured", "spread 10-90 %", "bar", "", "note")]
    for figure in figures:
        has_spread = figure.low is not None
        spread = f"{_number(figure.low)} to {_number(figure.high)}" if has_spread else ""
        measured = f"{_number(figure.value)} {figure.unit}".strip()
        bar = "" if figure.bar is None else f"≤ {_number(figure.bar)}"
        rows.append((figure.what, measured, spread, bar, figure.verdict, figure.note))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, tuple("-" * width for width in widths))  # type: ignore[arg-type]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"| {' | '.join(cells)} |")
    sys.stdout.flush()


def save(name: str, figures: Iterable[Figure]) -> None:
    """Write the figures as JSON into ``bench-output``."""
    OUTPUT.mkdir(exist_ok=True)
    content = [asdict(figure) for figure in figures]
    (OUTPUT / f"{name}.json").write_text(json.dumps(content, indent=1, ensure_ascii=False))
