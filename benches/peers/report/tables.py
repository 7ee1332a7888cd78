"""The full tables: one for each row that was timed, one for each other section."""

from __future__ import annotations

from benches.peers.figures import Figure
from benches.peers.library import OURS
from benches.peers.report.article import article_table
from benches.peers.report.markdown import number, table
from benches.peers.results import Results
from benches.peers.settings import (
    FIRST_KEYS,
    RESIDENT_KEYS,
    TIMED_CALLS,
)
from benches.peers.work import SECTIONS, Section

ALGORITHMS = {"log": "log", "bucket": "bucket", "counter": "counter", "fixed": "fixed", "": ""}
ORDER = list(ALGORITHMS)
TIMED = {"hot", "keys", "batch", "first_touch", "awaited", "threads"}
ABOUT = {
    "hot": "One client; the quota is not used up, or is.",
    "keys": "10,000 clients that are known already, in random order.",
    "batch": "The same 10,000 keys handed over in one call; only sluicegate takes them so.",
    "first_touch": f"{FIRST_KEYS:,} clients never seen before; the floor is inserting them into a dict.",
    "awaited": "A coroutine that is admitted at once: one that decides, or one that would wait.",
    "threads": "Four threads, each with a client of its own; time of all over checks of all.",
    "tail": f"{TIMED_CALLS:,} calls timed one by one, with {RESIDENT_KEYS:,} clients held; "
    "the floor is a `dict.get` timed the same way.",
    "memory": "Growth of resident memory, by the clients held.",
    "idle": "Bytes a client while all are live, and when they have been silent for 2.5 windows.",
    "races": "Admitted of 400 calls by four threads at a limit of 100, switched every µs.",
    "accuracy": "At 100 a minute, on a clock that is moved. Shares are of all requests.",
    "middleware": "A FastAPI request in process; each beside the bare app just before.",
    "served": "Keep-alive connections from one load generator; server and load share two cores.",
}


def order(figure: Figure) -> tuple[int, bool, float, str]:
    return (
        ORDER.index(figure.algorithm),
        figure.library != OURS,
        figure.value,
        figure.who,
    )


def name(figure: Figure) -> str:
    own = f"**{figure.library}**" if figure.library == OURS else figure.library
    return f"{own} {figure.who}"


def timed_table(figures: list[Figure]) -> str:
    unit = figures[0].unit
    header = ("limiter", "algorithm", unit, "10–90 %", "× floor", "× sluicegate")
    rows = [
        (
            name(each),
            each.algorithm,
            number(each.value),
            f"{number(each.low)}–{number(each.high)}",
            number(each.of_floor),
            number(each.of_ours),
        )
        for each in sorted(figures, key=order)
    ]
    return table(header, rows)


def wide_table(figures: list[Figure]) -> str:
    """A line a limiter, a column a row."""
    columns = list(dict.fromkeys(each.row for each in figures))
    lines: dict[tuple[str, str], dict[str, Figure]] = {}
    for each in sorted(figures, key=order):
        lines.setdefault((name(each), each.algorithm), {})[each.row] = each
    units = {each.row: f"{each.row}, {each.unit}".rstrip(", ") for each in figures}
    rows = [
        (*line, *(number(found[c].value) if c in found else "–" for c in columns))
        for line, found in lines.items()
    ]
    return table(("limiter", "algorithm", *(units[column] for column in columns)), rows)


def section_text(section: Section, results: Results) -> str:
    found = results.of(section.name)
    if not found:
        return ""
    text = f"## {section.title}\n\n{ABOUT[section.name]}\n\n"
    if section.name not in TIMED:
        return f"{text}{wide_table(found)}\n"
    parts: list[str] = []
    for row in dict.fromkeys(each.row for each in found):
        parts.append(f"### {row}\n\n{timed_table(results.of(section.name, row))}\n")
    return text + "\n".join(parts)


def who_took_part(results: Results) -> str:
    versions = " · ".join(f"{n} {v}".strip() for n, v in results.versions.items())
    lines = [f"{results.machine}{', QUICK=1' if results.quick else ''}.", f"Measured: {versions}."]
    lines += [f"Skipped: {n} ({why})." for n, why in results.skipped.items()]
    lines += [f"Failed: {each}." for each in results.failed]
    return "\n".join(lines)


def report(results: Results) -> str:
    """All of it, in Markdown."""
    sections = [section_text(section, results) for section in SECTIONS]
    article = article_table(results)
    return "\n".join(["# Measured\n", who_took_part(results), "", *filter(None, sections), article])
