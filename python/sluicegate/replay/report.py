"""What the replay found, as tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate._support.arguments import printable
from sluicegate.replay.logs.access_log import AccessLog
from sluicegate.replay.outcome import Findings, Outcome, Part

__all__ = ["format_of", "name_of", "notes", "percent", "show", "table_of", "titled"]

_BINS = 24
_BARS = 40
_SHORTEST_BAR = 8

When = Callable[[int], str]


def show(console: Console, findings: Findings) -> None:
    """Print the tables."""
    log, outcomes = findings.log, findings.outcomes
    first, last = map(format_of("%Y-%m-%d %H:%M:%S"), log.span)
    console.print(
        f"{len(log):,} requests by {len(log.names):,} {_kind(findings)}s, {first} to {last} UTC"
    )
    for note in notes(log):
        console.print(f"  {note}")
    when = format_of(_shortest(log))
    titled(console, "What each limit would have done", _comparison(findings, when))
    console.print(_accuracy(findings))
    if any(len(outcome.spec.parts) > 1 for outcome in outcomes):
        console.print(
            "Of several limits that decide together, a request that more than one refuses counts for "
            "each, and what one refuses no other spends."
        )
    for outcome in outcomes:
        if outcome.refused:
            more = len(outcome.by_key) > findings.top
            shown = f", the first {findings.top} of {len(outcome.by_key):,}" if more else ""
            title = f"Who would have been refused by {outcome.spec}{shown}"
            titled(console, title, _keys(findings, outcome, when))
    if any(outcome.refused for outcome in outcomes):
        bar = "█" if console.encoding.lower().startswith("utf") else "#"
        titled(console, "When", _over_time([o for o in outcomes if o.refused], bar))
    title = f"The smallest limit that would have refused at most {findings.at_most_percent:g} %"
    titled(console, title, _limits(findings))
    if any(part.kind == "sliding_counter" for o in outcomes for part in o.spec.parts):
        console.print(
            "For sliding_counter a smaller one that would do too is not ruled out, only the next smaller."
        )


def _accuracy(findings: Findings) -> str:
    """How far the figures can be off, since logs say no more than they do."""
    if findings.log.is_exact:
        return "The log's times say more than the second: the requests are replayed at them."
    shares = [
        f"{percent(min(both))} to {percent(max(both))}"
        for outcome, at_once in zip(findings.outcomes, findings.at_once, strict=True)
        for both in [(outcome.share, at_once / outcome.requests)]
    ]
    return (
        "The log has whole seconds. The requests of a second are spread over it, in the order of "
        "their lines; 'at once' is the share if they had all come at its start. The truth most likely "
        f"lies between the two: {', '.join(shares)}."
    )


def titled(console: Console, title: str, table: Table) -> None:
    """Print a table below its title."""
    # Not the table's own title, which would be wrapped to the table's width.
    console.print()
    console.print(Text(title, style="bold"))
    console.print(table)


def table_of(*columns: str, fold: bool = False) -> Table:
    """A table whose first column is text, folded if it may be long, and whose others are figures."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column(Text(columns[0]), overflow="fold", no_wrap=not fold)
    for column in columns[1:]:
        table.add_column(Text(column), justify="right")
    return table


def _kind(findings: Findings) -> str:
    return "client" if findings.by == "ip" else "path"


def format_of(form: str) -> When:
    """Shows Unix seconds in this form."""
    return lambda time: datetime.fromtimestamp(time, timezone.utc).strftime(form)


def _shortest(log: AccessLog) -> str:
    """What tells the log's times apart; the headline says the rest."""
    first, last = map(format_of("%Y %j"), log.span)
    if first == last:
        return "%H:%M:%S"
    return "%m-%d %H:%M" if first[:4] == last[:4] else "%Y-%m-%d %H:%M"


def _lines(outcome: Outcome) -> str:
    """What was replayed, a line for each limit."""
    return str(outcome.spec).replace("; ", ";\n")


def percent(share: float) -> str:
    """A share as percents."""
    return f"{share:.2%}"


def name_of(name: str) -> Text:
    """A name from the log as text, with nothing in it that a terminal would obey."""
    return Text(printable(name))


def notes(log: AccessLog) -> list[str]:
    """What was odd about the file."""
    said: list[str] = []
    if log.malformed:
        lines = ", ".join(map(str, log.first_malformed))
        more = ", ..." if log.malformed > len(log.first_malformed) else ""
        said.append(f"malformed lines, left out: {log.malformed:,} (line {lines}{more})")
    if log.out_of_order:
        said.append(f"lines before an earlier one, put in order: {log.out_of_order:,}")
    if log.doubt:
        said.append(log.doubt)
    if log.damage:
        said.append(f"reading ended early: {log.damage}")
    return said


def _comparison(findings: Findings, when: When) -> Table:
    table = table_of(
        *("limit", "admitted", "refused", "share", "at once", f"{_kind(findings)}s"),
        *("most in\na window", "first\nrefusal", "last\nrefusal"),
        fold=True,
    )
    for outcome, at_once in zip(findings.outcomes, findings.at_once, strict=True):
        rows = outcome.by_key
        table.add_row(
            _lines(outcome),
            f"{outcome.admitted:,}",
            f"{outcome.refused:,}",
            percent(outcome.share),
            percent(at_once / outcome.requests),
            f"{len(rows):,}",
            "" if outcome.most_admitted is None else f"{outcome.most_admitted:,}",
            when(min(row.first for row in rows)) if rows else "never",
            when(max(row.last for row in rows)) if rows else "",
        )
        if len(outcome.parts) > 1:
            for part in outcome.parts:
                table.add_row(*_part(part, when))
    return table


def _part(part: Part, when: When) -> tuple[str, ...]:
    """The row of one of several limits, below that of all."""
    return (
        f"  {part.spec}",
        "",
        f"{part.refused:,}",
        percent(part.share),
        "",
        f"{part.keys:,}",
        f"{part.most:,}",
        "never" if part.first is None else when(part.first),
        "" if part.last is None else when(part.last),
    )


def _keys(findings: Findings, outcome: Outcome, when: When) -> Table:
    several = len(outcome.spec.parts) > 1
    table = table_of(
        *(_kind(findings), "requests", "refused", "share"),
        *(f"by {part.kind}:\n{part.quota}" for part in outcome.spec.parts if several),
        *(("busiest\nwindow",) if not several else ()),
        *("first\nrefusal", "last\nrefusal"),
        fold=True,
    )
    for row in outcome.by_key[: findings.top]:
        table.add_row(
            name_of(row.key),
            f"{row.requests:,}",
            f"{row.refused:,}",
            percent(row.refused / row.requests),
            *(f"{count:,}" for count in (row.by if row.most is None else (row.most,))),
            when(row.first),
            when(row.last),
        )
    return table


def _over_time(outcomes: list[Outcome], bar: str) -> Table:
    """Refusals of each limit, all drawn to one scale."""
    parts = [outcome.over_time(_BINS) for outcome in outcomes]
    most = max(part.refused for column in parts for part in column)
    digits, length = len(f"{most:,}"), max(_SHORTEST_BAR, _BARS // len(outcomes))
    table = table_of("from (UTC)", "requests")
    for outcome in outcomes:
        table.add_column(Text(_lines(outcome)), min_width=digits + 1 + length)
    whole_minutes = all(part.start % 60 == 0 for part in parts[0])
    when = format_of("%Y-%m-%d %H:%M" if whole_minutes else "%Y-%m-%d %H:%M:%S")
    for row in zip(*parts, strict=True):
        cells = [
            f"{part.refused:{digits},} {bar * -(-part.refused * length // most)}"
            if part.refused
            else ""
            for part in row
        ]
        table.add_row(when(row[0].start), f"{row[0].requests:,}", *cells)
    return table


def _limits(findings: Findings) -> Table:
    table = table_of("instead of", "limit", "refused", "share")
    for outcome, best in zip(findings.outcomes, findings.found, strict=True):
        fits = findings.enough(best)
        limit = _lines(best) if fits else f"none: not even {_lines(best)}"
        table.add_row(_lines(outcome), limit, f"{best.refused:,}", percent(best.share))
    return table
