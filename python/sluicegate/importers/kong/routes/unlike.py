"""Small differences between routes and patterns, which are told once for all routes that have them."""

from __future__ import annotations

from dataclasses import dataclass, field

from sluicegate.importers.kong.entities import Route
from sluicegate.importers.kong.report import Report

__all__ = ["Unlike"]

_MOST_SHOWN = 5


@dataclass
class Unlike:
    """Collects them."""

    _found: dict[str, dict[str, Route]] = field(default_factory=dict[str, dict[str, Route]])

    def longer(self, route: Route, path: str) -> None:
        """A prefix, or the beginning that a regular expression asks for, may end within a segment."""
        self._add("longer", route, path)

    def shorter(self, route: Route, path: str) -> None:
        """A prefix ends with a slash."""
        self._add("shorter", route, path)

    def head(self, route: Route) -> None:
        """A route is for GET but not for HEAD."""
        self._add("head", route, route.name)

    def strip_path(self, route: Route) -> None:
        """What Kong's ``strip_path`` takes away."""
        if route.table.flag("strip_path", unless=True):
            self._add("strip_path", route, route.name)

    def protocols(self, route: Route) -> None:
        """A route is for one scheme."""
        self._add("protocols", route, route.name)

    def tell(self, report: Report) -> None:
        """Report each kind once, at the first route that has it."""
        for kind, found in self._found.items():
            names = [*found]
            shown = ", ".join(names[:_MOST_SHOWN])
            more = len(names) - _MOST_SHOWN
            what = f"{shown} and {more} more" if more > 0 else shown
            first = min(found.values(), key=lambda route: route.table.line)
            title, reason, effect = _TEXTS[kind]
            report.differs(first.table.line, f"{title} {what}", reason, effect)

    def _add(self, kind: str, route: Route, what: str) -> None:
        self._found.setdefault(kind, {}).setdefault(what, route)


_TEXTS = {
    "longer": (
        "paths",
        "Kong compares a path's beginning letter by letter, a pattern segment by segment",
        "in Kong a route for /api also has /apis; the policy's rule has /api and what is below it",
    ),
    "shorter": (
        "paths",
        "a slash at the end makes no difference to a pattern",
        "the path without it is the route's as well",
    ),
    "head": (
        "routes",
        "GET in a pattern stands for HEAD too",
        "HEAD requests are limited with the others; Kong gives them to another route, or to none",
    ),
    "strip_path": (
        "strip_path of routes",
        "Kong sends a request on without the path of its route; the policy looks at the path that the "
        "app gets, without its root path",
        "the rules are right where clients' own paths come to the app: without Kong, or with "
        "strip_path: false",
    ),
    "protocols": (
        "protocols of routes",
        "a pattern does not look at the scheme",
        "requests of http and https are limited alike; Kong sends the others away, without counting",
    ),
}
