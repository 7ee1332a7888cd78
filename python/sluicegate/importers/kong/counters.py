"""Where Kong counts together what a policy counts apart, or the other way round."""

from __future__ import annotations

from collections.abc import Iterable

from sluicegate.importers.kong.cells import Cell
from sluicegate.importers.kong.defaults import Defaults
from sluicegate.importers.kong.plugins.settings import ADVANCED, KINDS, PLAIN, Setting
from sluicegate.importers.kong.report import Report

__all__ = ["tell_of_counters"]


def tell_of_counters(
    settings: list[Setting], cells: Iterable[Cell], defaults: Defaults, report: Report
) -> None:
    """Tell of counters that are shared in Kong, and of plugins that apply at once."""
    for first, other in _pairs(setting for setting in settings if setting.plugin.name == PLAIN):
        one, its = first.plugin.scope, other.plugin.scope
        words = {first.identifier.words, other.identifier.words}
        if (one.route, one.service) == (its.route, its.service) and len(words) > 1:
            report.differs(
                other.plugin.line,
                f"{other.plugin}, beside that of line {first.plugin.line}",
                "both count by another thing, and Kong's counters of both are the same wherever that "
                "is one address",
                "addresses that stand in for what is not known are counted for each of the two",
            )
    for first, other in _pairs(setting for setting in settings if setting.plugin.name == ADVANCED):
        is_same = first.namespace is not None and first.namespace == other.namespace
        if is_same and _counted(first) != _counted(other):
            report.differs(
                other.plugin.line,
                f"{other.plugin}: namespace {other.namespace}, as in line {first.plugin.line}",
                "a rule's counts are of one algorithm and one store, by one kind of key",
                "the two count apart",
            )
    for setting in settings:
        if setting.is_calendar and setting.store is None:
            _tell_of_calendar(setting, defaults, report)
    both = next((cell for cell in cells if {each.kind for each in cell.applied} == {*KINDS}), None)
    if both is not None:
        line = next(each.setting.plugin.line for each in both.applied if each.kind == ADVANCED)
        report.differs(
            line,
            f"{PLAIN} and {ADVANCED} for one request",
            "Kong runs one after the other: what the second refuses the first has counted",
            "the policy asks both at once: what one refuses neither has counted, where both are in "
            "one store; else it is given back",
        )


def _tell_of_calendar(setting: Setting, defaults: Defaults, report: Report) -> None:
    effect = "it is counted in Redis, for all hosts together"
    if defaults.place is None:
        effect = (
            "each process counts for itself, so that several admit as many times as much; store = "
            '"redis://…" counts for all'
        )
    report.differs(
        setting.plugin.line,
        f"{setting.plugin}: month or year, on this host",
        "a zone has no windows of the calendar",
        effect,
    )


def _pairs(settings: Iterable[Setting]) -> Iterable[tuple[Setting, Setting]]:
    """Each with the first one of another plugin before it that it may share counters with."""
    known: list[Setting] = []
    for setting in settings:
        if setting.member_of is None:
            yield from ((each, setting) for each in known)
            known.append(setting)


def _counted(setting: Setting) -> tuple[object, ...]:
    store = None if setting.store is None else setting.store.url
    return setting.algorithm, setting.identifier.by, store
