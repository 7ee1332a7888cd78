"""The rules of a policy that limit as Kong's plugins do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from sluicegate.importers.document import Entry, Value
from sluicegate.importers.kong.cells import Applied, Cell, reduced
from sluicegate.importers.kong.defaults import Defaults
from sluicegate.importers.kong.names import Names
from sluicegate.importers.kong.plugins.settings import KINDS
from sluicegate.importers.kong.report import Report
from sluicegate.importers.origins import Source

__all__ = ["rules_of"]


def rules_of(cells: list[Cell], defaults: Defaults, report: Report) -> list[Entry]:
    """The rules of the cells, in their order.

    A plugin's rules are a group, of which the first that matches applies. Where a plugin limits only
    some clients of requests for which it has a later rule too, a rule ends the walk; the rules of
    plugins that have no such requests come first.
    """
    alone = {kind: reduced([cell.only({kind}) for cell in cells]) for kind in KINDS}
    free = [kind for kind in KINDS if not any(_stops(alone[kind], [kind]))]
    bound = [kind for kind in KINDS if kind not in free]
    ordered = [cell for kind in free for cell in alone[kind]]
    ends = [False] * len(ordered)
    if bound:
        rest = reduced([cell.only(bound) for cell in cells])
        ordered += rest
        ends += _stops(rest, bound)
    names = Names(defaults)
    for cell in ordered:
        for applied in cell.applied:
            names.add(applied)
    uses = Counter(names.name_of(each) for cell in ordered for each in cell.applied)
    told: set[str] = set()
    found: list[Entry] = []
    for cell, is_end in zip(ordered, ends, strict=True):
        for applied in cell.applied:
            name = names.name_of(applied)
            notes = [*_notes(applied, uses[name] > 1 and name not in told)]
            told.add(name)
            found.append(_rule(cell, applied, name, notes, defaults, report))
        if is_end:
            found.append(_end(cell, report))
    return _without_idle(found)


def _stops(cells: list[Cell], kinds: Collection[str]) -> list[bool]:
    """For each cell whether a later one would limit those of its requests that it does not."""
    return [
        any(
            cell.is_open(kind)
            and any(
                later.requests.meets(cell.requests) and any(a.kind == kind for a in later.applied)
                for later in cells[place + 1 :]
            )
            for kind in kinds
        )
        for place, cell in enumerate(cells)
    ]


def _rule(
    cell: Cell, applied: Applied, name: str, notes: list[str], defaults: Defaults, report: Report
) -> Entry:
    setting = applied.setting
    values: dict[str, Value] = {"match": cell.requests.text, "quota": setting.quota}
    values["by"] = applied.by[0] if len(applied.by) == 1 else list(applied.by)
    if applied.tiers is not None:
        values["tier"] = applied.tiers[0] if len(applied.tiers) == 1 else list(applied.tiers)
    values |= {"group": applied.kind, "name": name, "algorithm": setting.algorithm}
    place = defaults.place_of(setting)
    if place is not None and place != defaults.place:
        values["store"] = place
    on_error = None if setting.store is None else setting.store.on_error
    if on_error is not None and on_error != defaults.on_error:
        values["on_error"] = on_error
    if setting.is_hidden and not defaults.hides:
        values["headers"] = []
    refused: tuple[Source, ...] = ()
    if setting.refused is not None and setting.refused != defaults.refused:
        values["refusal"] = setting.refused.value
        refused = setting.refused.sources
        notes = [*notes, *setting.refused.notes]
    sources = [] if cell.way is None else [report.source(cell.way.line, cell.way.text)]
    sources += [report.source(setting.plugin.line, str(setting.plugin)), *refused]
    if setting.member_of is not None:
        notes = [f"With the limits of the consumer group {setting.member_of}.", *notes]
    return Entry(values, tuple(sources), tuple(notes))


def _notes(applied: Applied, is_first: bool) -> Iterator[str]:
    setting = applied.setting
    if is_first:
        yield "All rules of this name count together."
    if setting.is_calendar:
        yield (
            "Kong's months and years are those of the calendar in UTC. Its counters of a month end "
            "after 30 days, so that a client who spends on the first may begin anew on the 31st; "
            "these do not."
        )
    if applied.by == ("all",) and applied.within:
        yield f"Counted for all clients of the {applied.within} together."


def _end(cell: Cell, report: Report) -> Entry:
    values: dict[str, Value] = {"match": cell.requests.text, "exempt": True}
    sources = () if cell.way is None else (report.source(cell.way.line, cell.way.text),)
    return Entry(values, sources, ("No limit applies here but those above.",))


def _without_idle(rules: list[Entry]) -> list[Entry]:
    """Without ends behind which nothing is left."""
    while rules and rules[-1].values.get("exempt"):
        rules.pop()
    return rules
