"""Which location a request gets, as a list in which the first that matches is nginx's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sluicegate.importers.nginx.locations import Location
from sluicegate.importers.nginx.paths import EVERY_PATH, Path

__all__ = ["Step", "steps_of"]


class Step(NamedTuple):
    """The requests of some paths go to this location, unless an earlier step has them."""

    path: Path
    location: Location


def steps_of(server: Location) -> list[Step]:
    """All steps of a server. Locations that no pattern can say are not among them.

    Among those within one block nginx takes the exact one, else the longest prefix. Within that
    prefix it looks on in the same way. Unless that finds an exact location or a regular expression,
    the regular expressions beside the prefix are tried in their order, unless it has ``^~``, and then
    those further out. The prefix is taken if none matches (``ngx_http_core_find_location``).
    """
    return [*_steps(server, EVERY_PATH, [])]


def _steps(location: Location, region: Path, outer: list[Location]) -> Iterator[Step]:
    """The steps for requests of a ``region`` that lead to a location; ``outer`` are tried after its own."""
    for inner in location.exact:
        yield from _direct(inner, region)
    for prefix in sorted(location.prefixes, key=lambda inner: len(inner.text), reverse=True):
        for path, _ in prefix.paths:
            both = path & region
            if both is not None:
                beside = [] if prefix.skips_regex else location.regexes
                yield from _steps(prefix, both, [*beside, *outer])
    for regex in (*location.regexes, *outer):
        for path, _ in regex.paths:
            both = path & region
            if both is not None:
                yield from _steps(regex, both, [])
    yield Step(region, location)


def _direct(location: Location, region: Path) -> Iterator[Step]:
    for path, _ in location.paths:
        both = path & region
        if both is not None:
            yield Step(both, location)
