"""``sluicegate zone PATH``."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from sluicegate._support.console import standard_output
from sluicegate._zone.found import FoundLimit, FoundZone, found_in
from sluicegate._zone.store import path_of

__all__ = ["zone"]

_WRITERS = {
    "owner": "only its owner may write it",
    "group": "its owner and its group may write it",
    "everybody": "EVERYBODY may write it",
}
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def zone(
    path: Annotated[
        str, typer.Argument(help="The zone's file, or its URL: shared:///run/app/limits.zone.")
    ],
    as_json: Annotated[
        bool,
        typer.Option(
            "--json", help="Print one JSON document instead (pydoc sluicegate._zone.found)."
        ),
    ] = False,
) -> None:
    """Show what is in a zone, the memory that workers share: its limits and their keys.

    Looks at it without changing anything, also while it is in use. Live keys count at this
    moment; idle ones have their whole quota back, and others may have their slots.
    """
    found = found_in(path_of(path))
    if as_json:
        json.dump(found, sys.stdout, indent=2)
        print()
    else:
        _show(standard_output(), found)
    sys.stdout.flush()


def _show(console: Console, found: FoundZone) -> None:
    percent = 100 * found["used"] / max(found["slots"], 1)
    console.print(f"{_printable(found['path'])}: {_bytes(found['size_bytes'])}")
    if not found["is_of_this_boot"]:
        console.print("  made before this machine has started: it begins afresh when it is opened")
    console.print(f"  made {_ago(found['age_seconds'])} ago; {found['used']:,} of ", end="")
    console.print(f"{found['slots']:,} slots taken ({percent:.1f} %)")
    writers = _WRITERS[found["writable_by"]]
    console.print(f"  belongs to {found['owner']}, mode {found['mode']}: {writers}")
    if found["is_manual"]:
        console.print("  a ManualClock counts in it, as tests do: by it, other keys are live")
    if not found["limits"]:
        console.print("No limit has been declared in it.")
        return
    console.print(_table(found["limits"]))
    if any(limit["overflowed"] for limit in found["limits"]):
        console.print(
            "Overflow: keys without a slot shared one quota of their limit: enlarge the zone."
        )


def _table(limits: list[FoundLimit]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("limit", "algorithm", "window"):
        table.add_column(title)
    for title in ("largest", "live", "idle", "overflow"):
        table.add_column(title, justify="right")
    for limit in limits:
        numbers = (limit["live"], limit["idle"], limit["overflowed"])
        table.add_row(
            Text(_printable(limit["name"])),
            limit["algorithm"],
            _window(limit),
            "-" if limit["largest"] is None else f"{limit['largest']:,}",
            *(f"{number:,}" for number in numbers),
        )
    return table


def _printable(name: str) -> str:
    """Whoever can write a zone names its limits, and must not command the terminal of who looks."""
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in name)


def _window(limit: FoundLimit) -> str:
    """A window as a quota has it; a lease says that it is one, and a bucket has neither."""
    seconds = limit["window_seconds"]
    if seconds is None:
        return "-"
    unit, length = next((each for each in _UNITS if seconds % each[1] == 0), ("second", 1))
    count = seconds / length
    window = unit if count == 1 else f"{count:g} {unit}s"
    return f"lease: {window}" if limit["algorithm"] == "permits" else window


def _ago(seconds: float) -> str:
    for unit, length in _UNITS:
        if seconds >= length:
            count = int(seconds // length)
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} s"


def _bytes(size: int) -> str:
    return f"{size / 2**20:,.1f} MB" if size >= 2**20 else f"{size / 2**10:,.0f} KB"
