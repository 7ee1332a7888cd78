"""The full tables: one for each row that was timed, one for each other section."""

from __future__ import annotations

from benches.peers.figures import Figure
from benches.peers.library import OURS
from benches.peers.report.markdown import number, table
from benches.peers.report.published import published_table
from benches.peers.results import Results
from benches.peers.settings import (
    FIRST_KEYS,
    RESIDENT_KEYS,
    TIMED_CALLS,
)
from benches.peers.work import SECTIONS, Section

ORDER = ("log", "segments", "bucket", "counter", "fixed", "")
COMPARED = {"across", "tail", "memory", "middleware"}
MORE_IS_BETTER = {"across"}
SORTED_BY = {"middleware": "added when admitted", "served": "added in the server"}
TIMED = {"hot", "keys", "together", "batch", "first_touch", "awaited", "threads"}
ABOUT = {
    "hot": "One client; the quota is not used up, or is.",
    "keys": "10,000 clients that are known already, in random order.",
    "together": "The second, the minute and the hour of one key, or one limit each of a user, a tenant and a "
    "tool.\nWhere a library has no call for that, three of its limiters are asked in a row until one "
    "refuses;\nthe earlier ones have spent by then. A gate's answer is a full decision.",
    "batch": "The same 10,000 keys handed over in one call; only sluicegate takes them so.",
    "first_touch": f"{FIRST_KEYS:,} clients never seen before; the floor is inserting them into a dict.",
    "awaited": "A coroutine that is admitted at once: one that decides, or one that would wait. "
    "Coroutines that\ndecide are for libraries whose plain call may block; sluicegate's never does, "
    "but its bucket\nhas one.",
    "threads": "Four threads, each with a client of its own; time of all over checks of all.",
    "across": "Four processes ask for one client: checks a second of all together, and how many of them "
    "are\nadmitted at a limit of 100. Redis and memcached are servers on the loopback, by synchronous "
    "clients;\nwhat was refused is asked again there. pyrate-limiter refuses as well while another process "
    "has its lock.\nslowapi counts by `limits`.",
    "tail": "In brackets here and below: multiples of sluicegate's limiter of the same "
    f"algorithm.\n{TIMED_CALLS:,} calls timed one by one, with {RESIDENT_KEYS:,} clients held.",
    "memory": "Growth of resident memory, by the clients held.",
    "idle": "Bytes a client while all are live, and when they have been silent for 2.5 windows.",
    "races": "Admitted of 400 calls by four threads at a limit of 100, switched every µs.",
    "accuracy": "At 100 a minute, on a clock that is moved. Shares are of all requests.",
    "middleware": "A FastAPI request in process; each beside the bare app just before.",
    "served": "Keep-alive connections from one load generator; server and load share two cores.\n"
    "The processor's time, unlike the throughput, is the server's alone.",
}


def order(figure: Figure) -> tuple[int, bool, float, str]:
    return (
        ORDER.index(figure.algorithm),
        figure.library != OURS,
        -figure.value if figure.section in MORE_IS_BETTER else figure.value,
        figure.who,
    )


def name(figure: Figure) -> str:
    own = f"**{figure.library}**" if figure.library == OURS else figure.library
    return figure.who if figure.library == "pure Python" else f"{own} {figure.who}"


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


def lines_of(figures: list[Figure]) -> list[dict[str, Figure]]:
    """A line a limiter, its figures by their rows; in the order of one of them."""
    lines: dict[str, dict[str, Figure]] = {}
    for each in figures:
        lines.setdefault(name(each), {})[each.row] = each
    row = SORTED_BY.get(figures[0].section, figures[0].row)
    return sorted(lines.values(), key=lambda line: order(line[row]))


def cell(figure: Figure | None) -> str:
    """The value, and in brackets how many times ours that is."""
    if figure is None:
        return "–"
    compared = figure.section in COMPARED and not figure.row.startswith("the bare app")
    if figure.library == OURS or figure.of_ours is None or not compared:
        return number(figure.value)
    return f"{number(figure.value)} ({number(figure.of_ours)})"


def wide_table(figures: list[Figure], group: str = "") -> str:
    """A column a row; ``group`` is what all the rows begin with."""
    columns = {each.row: each.unit for each in figures}
    units = [f"{row.removeprefix(group)}, {unit}".rstrip(", ") for row, unit in columns.items()]
    rows: list[list[str]] = []
    for line in lines_of(figures):
        first = next(iter(line.values()))
        cells = [cell(line.get(row)) for row in columns]
        rows.append([name(first), *([first.algorithm] if first.algorithm else []), *cells])
    kinds = ["algorithm"] if figures[0].algorithm else []
    return table(("limiter", *kinds, *units), rows)


def accuracy_tables(figures: list[Figure]) -> str:
    groups = dict.fromkeys(each.row.partition(": ")[0] for each in figures)
    parts: list[str] = []
    for group in groups:
        rows = [each for each in figures if each.row.startswith(f"{group}: ")]
        parts += [f"### {group}\n", wide_table(rows, f"{group}: "), ""]
    return "\n".join(parts)


def section_text(section: Section, results: Results) -> str:
    found = results.of(section.name)
    if not found:
        return ""
    text = f"## {section.title}\n\n{ABOUT[section.name]}\n\n"
    if section.name == "accuracy":
        return text + accuracy_tables(found)
    if section.name not in TIMED:
        return f"{text}{wide_table(found)}\n"
    rows = dict.fromkeys(each.row for each in found)
    parts = (f"### {row}\n\n{timed_table(results.of(section.name, row))}\n" for row in rows)
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
    return "\n".join(
        [
            "# Measured\n",
            who_took_part(results),
            "",
            *filter(None, sections),
            published_table(results),
        ]
    )
