"""Which limits apply to which requests: the first entry that matches has all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluicegate.importers.nginx.keys import Counted, Keys
from sluicegate.importers.nginx.limits import Use
from sluicegate.importers.nginx.locations import Location
from sluicegate.importers.nginx.paths import Target
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.nginx.servers import Server

__all__ = ["Applied", "Entry", "applied_at", "entries_of", "reduced"]


@dataclass(frozen=True)
class Applied:
    """A zone as it is used at a place, and how the policy counts it."""

    use: Use
    counted: Counted

    def same_as(self, other: Applied) -> bool:
        """Whether both do the same."""
        return self.counted == other.counted and self.use.same_as(other.use)


@dataclass(frozen=True)
class Entry:
    """Some requests, and all that applies to them."""

    target: Target
    applied: tuple[Applied, ...]
    location: Location

    def same_as(self, other: Entry) -> bool:
        """Whether the same limits apply."""
        if len(self.applied) != len(other.applied):
            return False
        pairs = zip(self.applied, other.applied, strict=True)
        return all(own.same_as(its) for own, its in pairs)


def entries_of(
    hosts: Iterable[tuple[str | None, Server]], keys: Keys, report: Report
) -> list[Entry]:
    """All entries of all servers, in the order in which they are tried."""
    return [
        Entry(
            Target(host, step.path), applied_at(step.location, server, keys, report), step.location
        )
        for host, server in hosts
        for step in server.steps
    ]


def applied_at(
    location: Location, server: Server, keys: Keys, report: Report
) -> tuple[Applied, ...]:
    """What applies at a location, without zones whose key is always empty there."""
    found: list[Applied] = []
    for use in location.limits.uses:
        try:
            counted = keys.counted(use.zone, server.name)
        except ValueError as error:
            report.wrong(use.zone.origin, f"{use.zone.directive.name}: {error}")
            continue
        if counted is not None:
            found.append(Applied(use, counted))
        else:
            report.differs(
                use.directive,
                f"the key {use.zone.key!r} of the zone {use.zone.name} ({use.zone.origin}) is empty in "
                f"the server at {server.directive.origin}, which has no name",
                "nginx does not limit its requests by this zone, and neither does the policy",
            )
    return tuple(found)


def reduced(entries: list[Entry]) -> list[Entry]:
    """The entries that matter: without those that no request reaches, and those without which every
    request has the same limits.
    """
    reached: list[Entry] = []
    for entry in entries:
        if not any(earlier.target.covers(entry.target) for earlier in reached):
            reached.append(entry)
    needed: list[Entry] = []
    for entry in reversed(reached):
        behind = next((later for later in needed if later.target.meets(entry.target)), None)
        if behind is None:
            is_needless = not entry.applied
        else:
            is_needless = behind.target.covers(entry.target) and behind.same_as(entry)
        if not is_needless:
            needed.insert(0, entry)
    return needed
