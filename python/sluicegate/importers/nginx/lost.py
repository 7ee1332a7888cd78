"""Locations that no pattern can say, or not exactly, and which requests are limited otherwise."""

from __future__ import annotations

from collections.abc import Iterable

from sluicegate.importers.nginx.entries import Entry, applied_at
from sluicegate.importers.nginx.keys import Keys
from sluicegate.importers.nginx.locations import Location
from sluicegate.importers.nginx.paths import EVERY_PATH, Path, Target
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.nginx.servers import Server

__all__ = ["tell_of_locations"]


def tell_of_locations(
    hosts: Iterable[tuple[str | None, Server]],
    entries: list[Entry],
    places: list[Entry],
    keys: Keys,
    report: Report,
) -> None:
    """Tell of all locations whose requests are not exactly those of their patterns."""
    for host, server in hosts:
        own = [entry for entry in entries if entry.target.host == host]
        for location in server.root.walk():
            if not location.paths:
                _tell_of_lost(location, server, keys, report)
            for path, is_cut in location.paths:
                if is_cut:
                    _tell_of_cut(location, path, Target(host, EVERY_PATH), own, report)
    _tell_of_slashes(places, report)


def _tell_of_lost(location: Location, server: Server, keys: Keys, report: Report) -> None:
    """Of one without a pattern, unless its requests have the same limits wherever they go."""
    own = _alone(location, server, keys, report)
    others = [_alone(other, server, keys, report) for other in server.root.walk()]
    if all(own.same_as(other) for other in others):
        return
    if location.kind == "regex":
        reason = "no pattern can say this regular expression"
        order = ", and with those of expressions behind it"
    else:
        reason = "no pattern can say this path"
        order = ""
    report.differs(
        location.directive,
        reason,
        f"its limits ({_shown(own)}) are left out; its requests are counted with those of the next "
        f"location that matches{order}",
    )


def _tell_of_cut(
    location: Location, path: Path, everywhere: Target, own: list[Entry], report: Report
) -> None:
    """Of a prefix without a slash at its end, which nginx compares by letters."""
    reached = next((entry for entry in own if entry.location is location), None)
    longer = Target(everywhere.host, Path((*path.segments[:-1], None), rest=True))
    instead = next((entry for entry in own if entry.target.covers(longer)), None)
    if reached is None or instead is None or reached.same_as(instead):
        return
    report.differs(
        location.directive,
        f"a pattern ends with a whole segment: {path.text} has not what goes on without a slash, such "
        f"as {path.text.removesuffix('/*')}-2",
        f"such requests have other limits: {_shown(instead)} instead of {_shown(reached)}",
    )


def _tell_of_slashes(places: list[Entry], report: Report) -> None:
    """Of a slash at the end, which a pattern does not tell."""
    found: dict[Location, str] = {}
    for place in places:
        location = place.location
        if location.kind == "exact":
            text = location.text
            found[location] = text.removesuffix("/") if text.endswith("/") else f"{text}/"
        elif location.kind == "prefix" and location.text.endswith("/") and location.text != "/":
            found[location] = location.text.removesuffix("/")
    if found:
        first, *others = found
        where = ", ".join(dict.fromkeys(str(location.directive.origin) for location in others))
        report.differs(
            first.directive,
            "in a pattern a slash at the end makes no difference"
            + (f" (so at {where})" if where else ""),
            f"{', '.join(dict.fromkeys(filter(None, found.values())))}: counted with these locations too",
        )


def _alone(location: Location, server: Server, keys: Keys, report: Report) -> Entry:
    return Entry(Target(None, EVERY_PATH), applied_at(location, server, keys, report), location)


def _shown(entry: Entry) -> str:
    names = [f"{applied.use.quota} of {applied.counted.name}" for applied in entry.applied]
    return " and ".join(names) or "none"
