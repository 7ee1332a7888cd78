"""What the replay found: tables for people, a document for programs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.table import Table

from sluicegate.replay.access_log import AccessLog
from sluicegate.replay.engine import Outcome

__all__ = ["as_document", "show"]

_BINS = 24
_BAR = 40


def _when(time: int) -> str:
    return datetime.fromtimestamp(time, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def _percent(share: float) -> str:
    return f"{share:.2%}"


def show(
    console: Console,
    log: AccessLog,
    by: str,
    outcomes: Sequence[Outcome],
    found: Sequence[Outcome],
    at_most: float,
    top: int,
) -> None:
    """Print the tables."""
    console.print(
        f"{len(log):,} requests by {len(log.names):,} {'clients' if by == 'ip' else 'paths'}, "
        f"{_when(log.times[0])} to {_when(log.times[-1])} UTC"
    )
    for note in notes(log):
        console.print(f"  {note}", markup=False)
    console.print()
    console.print(_comparison(by, outcomes))
    for outcome in outcomes:
        if outcome.refused:
            for table in (_keys(by, outcome, top), _over_time(outcome)):
                console.print()
                console.print(table)
    console.print()
    console.print(_limits(outcomes, found, at_most))


def notes(log: AccessLog) -> list[str]:
    """What was odd about the file."""
    said: list[str] = []
    if log.malformed:
        lines = ", ".join(map(str, log.first_malformed))
        more = ", …" if log.malformed > len(log.first_malformed) else ""
        said.append(f"{log.malformed:,} malformed lines were left out (line {lines}{more})")
    if log.out_of_order:
        said.append(
            f"{log.out_of_order:,} lines stood before an earlier one: all were put in order"
        )
    if log.damage:
        said.append(f"reading ended early: {log.damage}")
    return said


def _comparison(by: str, outcomes: Sequence[Outcome]) -> Table:
    table = Table(title="What each limiter would have done", title_justify="left")
    table.add_column("limit")
    who = "clients refused" if by == "ip" else "paths refused"
    for column in ("requests", "admitted", "refused", "share", who):
        table.add_column(column, justify="right")
    table.add_column("first refusal (UTC)")
    table.add_column("last refusal (UTC)")
    for outcome in outcomes:
        times = [time for time, _ in outcome.refusals()]
        table.add_row(
            str(outcome.spec),
            f"{outcome.requests:,}",
            f"{outcome.admitted:,}",
            f"{outcome.refused:,}",
            _percent(outcome.share),
            f"{len(outcome.by_key()):,}",
            _when(times[0]) if times else "never",
            _when(times[-1]) if times else "",
        )
    return table


def _keys(by: str, outcome: Outcome, top: int) -> Table:
    rows = outcome.by_key()
    shown = f", the first {top} of {len(rows):,}" if len(rows) > top else ""
    table = Table(title=f"Who: {outcome.spec}{shown}", title_justify="left")
    table.add_column("client" if by == "ip" else "path", overflow="fold")
    for column in ("requests", "refused", "share"):
        table.add_column(column, justify="right")
    table.add_column("first refusal (UTC)")
    table.add_column("last refusal (UTC)")
    for name, requests, refused, first, last in rows[:top]:
        share = _percent(refused / requests)
        table.add_row(name, f"{requests:,}", f"{refused:,}", share, _when(first), _when(last))
    return table


def _over_time(outcome: Outcome) -> Table:
    table = Table(title=f"When: {outcome.spec}", title_justify="left")
    table.add_column("from (UTC)")
    table.add_column("requests", justify="right")
    table.add_column("refused", justify="right")
    table.add_column("refused, at scale", min_width=_BAR)
    bins = outcome.over_time(_BINS)
    most = max(refused for _, _, refused in bins)
    for start, requests, refused in bins:
        bar = "█" * -(-refused * _BAR // most)
        table.add_row(_when(start), f"{requests:,}", f"{refused:,}" if refused else "", bar)
    return table


def _limits(outcomes: Sequence[Outcome], found: Sequence[Outcome], at_most: float) -> Table:
    title = f"The smallest limit that would have refused at most {at_most:g} %"
    table = Table(title=title, title_justify="left")
    for column in ("instead of", "limit"):
        table.add_column(column)
    for column in ("refused", "share"):
        table.add_column(column, justify="right")
    for outcome, best in zip(outcomes, found, strict=True):
        row = (str(outcome.spec), str(best.spec), f"{best.refused:,}", _percent(best.share))
        table.add_row(*row)
    return table


def as_document(
    log: AccessLog,
    by: str,
    outcomes: Sequence[Outcome],
    found: Sequence[Outcome],
    at_most: float,
    top: int,
) -> dict[str, Any]:
    """All of it for programs. Times are Unix seconds, shares lie in 0 to 1."""
    return {
        "by": by,
        "requests": len(log),
        "keys": len(log.names),
        "first": log.times[0],
        "last": log.times[-1],
        "lines": log.lines,
        "malformed": log.malformed,
        "first_malformed": log.first_malformed,
        "out_of_order": log.out_of_order,
        "damage": log.damage,
        "at_most_percent": at_most,
        "limits": [
            _outcome(outcome, best, top) for outcome, best in zip(outcomes, found, strict=True)
        ],
    }


def _outcome(outcome: Outcome, best: Outcome, top: int) -> dict[str, Any]:
    rows = outcome.by_key()
    fields = ("key", "requests", "refused", "first_refusal", "last_refusal")
    return {
        "limit": str(outcome.spec),
        "admitted": outcome.admitted,
        "refused": outcome.refused,
        "share": outcome.share,
        "keys_refused": len(rows),
        "first_refusal": min((row[3] for row in rows), default=None),
        "last_refusal": max((row[4] for row in rows), default=None),
        "top_keys": [dict(zip(fields, row, strict=True)) for row in rows[:top]],
        "over_time": [
            {"from": start, "requests": requests, "refused": refused}
            for start, requests, refused in outcome.over_time(_BINS)
        ],
        "enough": {"limit": str(best.spec), "refused": best.refused, "share": best.share},
    }
