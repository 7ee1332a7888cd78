"""Which limits apply to which requests: the first entry that matches has all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sluicegate.importers.nginx.keys import Counted, Keys
from sluicegate.importers.nginx.limits import Use
from sluicegate.importers.nginx.locations import Location
from sluicegate.importers.nginx.paths import Target
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.nginx.servers import Server

__all__ = ["Applied", "ByHost", "Entry", "applied_at", "entries_of", "reduced"]


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


class ByHost:
    """Some entries, the newest first, by their hosts: most of a large file have nothing in common."""

    def __init__(self) -> None:
        self._entries: dict[str | None, list[tuple[int, Entry]]] = {}
        self._count = 0

    def add(self, entry: Entry) -> None:
        self._count += 1
        self._entries.setdefault(entry.target.host, []).append((self._count, entry))

    def meeting(self, target: Target) -> Iterator[Entry]:
        """Those that have requests of the target, the newest of each host first."""
        return (entry for _, entry in self._meeting(target))

    def newest(self, target: Target) -> Entry | None:
        """The newest that has requests of the target."""
        firsts = (next(self._of_host(host, target), None) for host in self._near(target))
        found = max((first for first in firsts if first is not None), default=None, key=_number)
        return None if found is None else found[1]

    def _meeting(self, target: Target) -> Iterator[tuple[int, Entry]]:
        for host in self._near(target):
            yield from self._of_host(host, target)

    def _of_host(self, host: str | None, target: Target) -> Iterator[tuple[int, Entry]]:
        for number, entry in reversed(self._entries[host]):
            if entry.target.meets(target):
                yield number, entry

    def _near(self, target: Target) -> Iterator[str | None]:
        """The hosts that may have requests of the target."""
        host = target.host
        if host is None or host.startswith("*."):
            yield from self._entries
            return
        labels = host.split(".")
        above = (f"*.{'.'.join(labels[place:])}" for place in range(1, len(labels)))
        yield from (near for near in (host, *above, None) if near in self._entries)


def _number(found: tuple[int, Entry]) -> int:
    return found[0]


def reduced(entries: list[Entry]) -> list[Entry]:
    """The entries that matter: without those that no request reaches, and those without which every
    request has the same limits.
    """
    reached: list[Entry] = []
    earlier = ByHost()
    for entry in entries:
        if not any(each.target.covers(entry.target) for each in earlier.meeting(entry.target)):
            reached.append(entry)
            earlier.add(entry)
    needed: list[Entry] = []
    later = ByHost()
    for entry in reversed(reached):
        behind = later.newest(entry.target)
        if behind is None:
            is_needless = not entry.applied
        else:
            is_needless = behind.target.covers(entry.target) and behind.same_as(entry)
        if not is_needless:
            needed.append(entry)
            later.add(entry)
    return needed[::-1]
