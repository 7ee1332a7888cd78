"""An imported policy on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate.importers.document import Document, Entry, Value
from sluicegate.importers.text import printable
from sluicegate.importers.unmatched import Unmatched

__all__ = ["show", "show_unmatched"]

_SHOWN_APART = ("match", "quota", "by", "exempt")


def show(console: Console, document: Document) -> None:
    """Print the rules, and the other keys of the policy."""
    others = [
        f"{name}{key} = {_text(value)}"
        for name, entries in (
            ("", document.options),
            ("identity.", document.identity),
            ("tiers.", document.tiers),
            ("keys.", document.keys),
        )
        for entry in entries
        for key, value in entry.values.items()
    ]
    for line in others:
        console.print(line, soft_wrap=True)
    table = _table("requests", "limit", "by", "beside it", "from")
    for rule in document.rules:
        table.add_row(*map(Text, _row(rule)))
    console.print(table)


def show_unmatched(console: Console, unmatched: Iterable[Unmatched]) -> None:
    """Print what has no equivalent, if there is anything."""
    table = _table("from", "what", "why it has no equivalent", "effect")
    for origin, *texts in unmatched:
        table.add_row(str(origin), *(Text(printable(text)) for text in texts))
    if table.row_count:
        console.print("Without an equivalent:")
        console.print(table)


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(Text(column), overflow="fold")
    return table


def _row(rule: Entry) -> list[str]:
    values = rule.values
    limit = "no further limit" if values.get("exempt") else _text(values.get("quota", ""))
    beside = [f"{key} {_text(value)}" for key, value in values.items() if key not in _SHOWN_APART]
    by = "" if values.get("exempt") else _text(values.get("by", "client"))
    cells = [_text(values.get("match", "")), limit, by, ", ".join(beside)]
    return [
        *map(printable, cells),
        "\n".join(printable(str(source.origin)) for source in rule.sources),
    ]


def _text(value: Value) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items())
    return ", ".join(map(str, value))
