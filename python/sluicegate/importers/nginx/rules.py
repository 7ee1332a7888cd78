"""The rules of a policy that allow what nginx allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from sluicegate.importers.document import Entry as Rule
from sluicegate.importers.document import Value
from sluicegate.importers.nginx.entries import Applied, ByHost, Entry, reduced
from sluicegate.importers.nginx.limits import LONGEST_DELAY, Use
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.origins import Source

__all__ = ["rules_of"]

_LONGEST_NAME = 46
_DRY = " dry"


def rules_of(entries: list[Entry], report: Report) -> list[Rule]:
    """The rules of the entries, in their order.

    The rules of one zone have one name, since they have one state, and are one group, of which the
    first that matches applies. A zone that applies wherever a later rule of it would comes first. The
    others follow place by place, and where a place has fewer zones than a later one for the same
    requests stands a rule that ends the walk.
    """
    first, bound = _ordered(entries)
    ordered = [*first, *bound]
    uses = Counter(applied.use.zone.name for entry in ordered for applied in entry.applied)
    mixed, ends = _mixed(ordered, report), _passed_over(bound)
    found: list[Rule] = []
    told: set[str] = set()
    for place, entry in enumerate(ordered):
        for applied in entry.applied:
            zone = applied.use.zone.name
            notes = [*_notes(applied, uses[zone] > 1 and zone not in told)]
            told.add(zone)
            name = applied.counted.name
            if applied.use.is_dry and zone in mixed:
                name = f"{name[: _LONGEST_NAME - len(_DRY)]}{_DRY}"
            group = zone if uses[zone] > 1 else None
            found.append(_rule(entry, applied, name, group, notes))
            _check_delay(applied.use, report)
        if place - len(first) in ends:
            found.append(_end(entry))
    return found


def _ordered(entries: list[Entry]) -> tuple[list[Entry], list[Entry]]:
    """The entries of zones that need no end of the walk, zone by zone, and those of the others."""
    zones = dict.fromkeys(each.use.zone.name for entry in entries for each in entry.applied)
    free = {zone: reduced(_only(entries, {zone})) for zone in zones}
    free = {zone: own for zone, own in free.items() if all(entry.applied for entry in own)}
    bound = reduced(_only(entries, zones.keys() - free.keys()))
    return [entry for own in free.values() for entry in own], bound


def _mixed(entries: list[Entry], report: Report) -> set[str]:
    """The zones that only watch at some places, and refuse at others."""
    uses = [applied.use for entry in entries for applied in entry.applied]
    live = {use.zone.name for use in uses if not use.is_dry}
    dry = [use for use in uses if use.is_dry and use.zone.name in live]
    for use in dry:
        report.differs(
            use.directive,
            f"it is a dry run at one place, and the zone {use.zone.name} refuses at another: in a policy "
            "a limit either watches or refuses",
            "requests of the dry run are counted apart",
        )
    return {use.zone.name for use in dry}


def _only(entries: list[Entry], zones: Collection[str]) -> list[Entry]:
    """The entries with what applies of some zones."""
    return [
        replace(entry, applied=tuple(a for a in entry.applied if a.use.zone.name in zones))
        for entry in entries
    ]


def _rule(entry: Entry, applied: Applied, name: str, group: str | None, notes: list[str]) -> Rule:
    use, counted = applied.use, applied.counted
    by: Value = counted.by if isinstance(counted.by, str) else list(counted.by)
    values: dict[str, Value] = {"match": entry.target.text, "quota": use.quota, "by": by}
    values["name"] = name
    if group is not None:
        values["group"] = group
    if use.is_held:
        values["delay"] = use.delay
        if use.delayed_from:
            values["undelayed"] = use.delayed_from
    if use.is_dry:
        values["shadow"] = True
    sources = [*_place(entry), use.directive.source, use.zone.directive.source]
    if use.answer is not None:
        values["refusal"] = use.answer.value
        sources += [directive.source for directive in use.answer.directives]
    return Rule(values, tuple(sources), tuple(notes))


def _end(entry: Entry) -> Rule:
    values: dict[str, Value] = {"match": entry.target.text, "exempt": True}
    answer = entry.location.answered_by
    if answer is None:
        return Rule(values, _place(entry), ("No limit applies here but those above.",))
    note = "This answers before nginx looks at limits."
    return Rule(values, (*_place(entry), answer.source), (note,))


def _place(entry: Entry) -> tuple[Source, ...]:
    """The location, if it is one."""
    directive = entry.location.directive
    return () if directive.name == "server" else (directive.source,)


def _notes(applied: Applied, is_first: bool) -> Iterator[str]:
    use = applied.use
    if is_first:
        yield (
            f"All rules named {applied.counted.name} count together, as the zone does; the burst is "
            "that of the place."
        )
    rate = use.zone.rate
    if rate is not None and rate.counted != rate.per_second:
        percent = float(100 * (1 - rate.counted / rate.per_second))
        yield (
            f"nginx counts whole thousandths of a request a second: {rate.counted * 1000}, which is "
            f"{percent:.1f} % less than this."
        )


def _check_delay(use: Use, report: Report) -> None:
    if use.is_held and use.delay >= LONGEST_DELAY:
        assert use.zone.rate is not None
        held = int(LONGEST_DELAY * use.zone.rate.per_second)
        if held < use.burst:
            report.differs(
                use.directive,
                f"a policy holds a request for {LONGEST_DELAY:,} seconds at most",
                f"{held:,} requests wait at most, not {use.burst:,}; others are refused",
            )


def _passed_over(entries: list[Entry]) -> set[int]:
    """The places of those to whose requests rules of a later entry would apply, beside their own."""
    found: set[int] = set()
    later = ByHost()
    for place, entry in reversed([*enumerate(entries)]):
        own = {applied.use.zone.name for applied in entry.applied}
        others = later.meeting(entry.target)
        if any(each.use.zone.name not in own for other in others for each in other.applied):
            found.add(place)
        later.add(entry)
    return found
