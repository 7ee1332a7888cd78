"""Which plugins limit which requests: of each plugin one configuration, by Kong's precedence."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from sluicegate.importers.kong.entities import Route, Scope, Service
from sluicegate.importers.kong.plugins.settings import Setting
from sluicegate.importers.kong.routes.requests import EVERY_REQUEST, Requests
from sluicegate.importers.kong.routes.router import Way
from sluicegate.importers.kong.tiers import Tiers
from sluicegate.importers.nginx.paths import path_of

__all__ = ["Applied", "Cell", "cells_of", "reduced"]

#: What a scope names, from the most to the least specific: of those that fit the first counts.
PRECEDENCE = (
    {"consumer", "route", "service"},
    {"group", "route", "service"},
    {"consumer", "route"},
    {"consumer", "service"},
    {"group", "route"},
    {"group", "service"},
    {"route", "service"},
    {"consumer"},
    {"group"},
    {"route"},
    {"service"},
    set[str](),
)


@dataclass(frozen=True)
class Applied:
    """A setting, as it limits some requests.

    Attributes:
        by: what the rule counts by.
        within: what is the same for all these requests, and counted by as well: a service's name.
        tiers: whom it limits; ``None`` for all.
    """

    setting: Setting
    by: tuple[str, ...]
    within: str = ""
    tiers: tuple[str, ...] | None = None

    @property
    def kind(self) -> str:
        return self.setting.plugin.name


@dataclass(frozen=True)
class Cell:
    """Some requests, and all that limits them; ``way`` is ``None`` for those of no route."""

    requests: Requests
    applied: tuple[Applied, ...]
    way: Way | None = None

    def only(self, kinds: Collection[str]) -> Cell:
        """The same with what is of some plugins."""
        return replace(self, applied=tuple(each for each in self.applied if each.kind in kinds))

    def is_open(self, kind: str) -> bool:
        """Whether some of the clients are not limited by a plugin of the kind."""
        return not any(each.kind == kind and each.tiers is None for each in self.applied)


def rank(scope: Scope) -> int:
    """The place of a scope in the precedence."""
    parts = ("consumer", "group", "route", "service")
    return PRECEDENCE.index({part for part in parts if getattr(scope, part) is not None})


def cells_of(
    ways: Iterable[Way], settings: Iterable[Setting], kinds: Iterable[str], tiers: Tiers
) -> list[Cell]:
    """The cells in the order in which they are tried: the first that has a request counts."""
    # A group's order is that of its name, where a consumer is in several.
    ordered = sorted(settings, key=lambda each: (rank(each.plugin.scope), _group(each)))
    found: list[Cell] = []
    for way in ways:
        route, service = way.route, way.route.service
        for requests in way.requests:
            chain = [*_chains(ordered, kinds, route, service, tiers)]
            found += _split(Cell(requests, tuple(chain), way))
    return [*found, *_split(Cell(EVERY_REQUEST, (*_chains(ordered, kinds, None, None, tiers),)))]


def _group(setting: Setting) -> str:
    scope = setting.plugin.scope
    return setting.member_of or (scope.group.name if scope.group is not None else "\U0010ffff")


def _chains(
    settings: list[Setting],
    kinds: Iterable[str],
    route: Route | None,
    service: Service | None,
    tiers: Tiers,
) -> Iterator[Applied]:
    """For each plugin what limits the requests of a route, for whom, the first first."""
    for kind in kinds:
        known: set[str] = set()
        for setting in settings:
            scope = setting.plugin.scope
            if setting.plugin.name != kind or (scope.route, scope.service) not in {
                (None, None),
                (route, None),
                (None, service),
                (route, service),
            }:
                continue
            chosen = _tiers(setting, tiers)
            if chosen is not None:
                chosen = tuple(tier for tier in chosen if tier not in known)
                if not chosen:
                    continue
                known |= {*chosen}
            yield _applied(setting, route, service, chosen)
            if chosen is None:
                break


def _tiers(setting: Setting, tiers: Tiers) -> tuple[str, ...] | None:
    scope = setting.plugin.scope
    of_group = tiers.of_group(setting.member_of) if setting.member_of is not None else None
    if scope.consumer is not None:
        own = tiers.of_consumer(scope.consumer)
        return own if of_group is None or own[0] in of_group else ()
    if scope.group is not None:
        own = tiers.of_group(scope.group.name)
        return own if of_group is None else tuple(tier for tier in own if tier in of_group)
    return of_group


def _applied(
    setting: Setting, route: Route | None, service: Service | None, tiers: tuple[str, ...] | None
) -> Applied:
    words, by = setting.identifier.words, setting.identifier.by
    within = [
        f"{word} {part.name}"
        for word, part in (("service", service), ("route", route))
        if word in words and part is not None
    ]
    if words in (("service",), ("route",)) and not within:
        by = ("address",)  # Kong takes the address of what has none
    if words == ("path",):
        by = ("address",)
    return Applied(setting, by, ", ".join(within), tiers)


def _split(cell: Cell) -> Iterator[Cell]:
    """The cell, and before it that of each path that a plugin counts by itself."""
    paths = dict.fromkeys(each.setting.identifier.path for each in cell.applied)
    cells = [cell]
    for path in filter(None, paths):
        read = path_of(path, rest=False)
        at = None if read is None else cell.requests.at(read)
        if at is None:
            continue
        applied = tuple(
            replace(each, by=("all",), within=f"path {path}")
            if each.setting.identifier.path == path
            else each
            for each in cell.applied
        )
        cells.insert(0, replace(cell, requests=at, applied=applied))
    yield from cells


def reduced(cells: list[Cell]) -> list[Cell]:
    """The cells that matter: without those that no request reaches, and those without which every
    request is limited in the same way.
    """
    reached: list[Cell] = []
    for cell in cells:
        if not any(earlier.requests.covers(cell.requests) for earlier in reached):
            reached.append(cell)
    needed: list[Cell] = []
    for cell in reversed(reached):
        behind = next((later for later in needed if later.requests.meets(cell.requests)), None)
        if behind is None:
            is_needless = not cell.applied
        else:
            is_needless = behind.requests.covers(cell.requests) and behind.applied == cell.applied
        if not is_needless:
            needed.insert(0, cell)
    return needed
