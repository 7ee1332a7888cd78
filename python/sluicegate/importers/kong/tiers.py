"""Consumers and their groups as tiers, by which rules choose clients."""

from __future__ import annotations

from collections.abc import Iterable

from sluicegate.importers.document import Entry
from sluicegate.importers.kong.entities import Consumer, Entities, Group
from sluicegate.importers.kong.plugins.settings import Setting
from sluicegate.importers.kong.report import Report

__all__ = ["Tiers"]

_DEFAULTS = ("default", "others", "all others")


class Tiers:
    """Who has which tier: a consumer with limits of its own its name, others that of their groups."""

    def __init__(self, entities: Entities, settings: Iterable[Setting], report: Report) -> None:
        scopes = [setting.plugin.scope for setting in settings]
        own = {scope.consumer for scope in scopes if scope.consumer is not None}
        limited = {scope.group.name for scope in scopes if scope.group is not None}
        limited |= {setting.member_of for setting in settings if setting.member_of is not None}
        self._own = own
        self._groups: dict[str, dict[str, None]] = {}
        self._about: dict[str, tuple[str, int, list[str]]] = {}
        for group in entities.groups:
            if group.name in limited:
                self._groups[group.name] = {group.name: None}
                self._about[group.name] = (f"consumer group {group.name}", group.table.line, [])
        for consumer in entities.consumers:
            self._add(consumer, limited, report)

    def _add(self, consumer: Consumer, limited: set[str], report: Report) -> None:
        groups = sorted({group.name for group in consumer.groups} & limited)
        if consumer in self._own:
            tier, about = consumer.name, f"consumer {consumer.name}"
            if tier in self._groups:
                tier = f"consumer {consumer.name}"
        elif groups:
            tier, about = "+".join(groups), f"consumer groups {' and '.join(groups)}"
        else:
            return
        self._about.setdefault(tier, (about, consumer.table.line, []))
        if consumer not in self._own:
            self._about[tier][2].append(consumer.name)
        for group in groups:
            self._groups[group][tier] = None
        if len(groups) > 1:
            report.differs(
                consumer.table.line,
                f"consumer {consumer.name} in {len(groups)} groups: {', '.join(groups)}",
                "which group's plugin Kong runs is not defined, and may change",
                "the first by its name counts",
            )

    def __bool__(self) -> bool:
        return bool(self._about)

    def of_consumer(self, consumer: Consumer) -> tuple[str, ...]:
        """The tier of a consumer that has limits of its own."""
        return (f"consumer {consumer.name}" if consumer.name in self._groups else consumer.name,)

    def of_group(self, group: str) -> tuple[str, ...]:
        """The tiers of all members of a group."""
        return tuple(self._groups.get(group, (group,)))

    def is_member(self, group: Group) -> bool:
        return group.name in self._groups

    def entries(self, report: Report) -> list[Entry]:
        """The policy's tiers: they choose rules, and limit nothing themselves."""
        if not self:
            return []
        default = next(name for name in _DEFAULTS if name not in self._about)
        found = [
            Entry(
                {default: "unlimited"},
                (),
                (
                    "Tiers choose the rules. This one is everybody's whom verify= gives no other: "
                    "verify= returns Principal(username, tier=one of these).",
                ),
            )
        ]
        for tier, (about, line, members) in self._about.items():
            note = (f"Consumers: {', '.join(members)}.",) if members else ()
            found.append(Entry({tier: "unlimited"}, (report.source(line, about),), note))
        return found
