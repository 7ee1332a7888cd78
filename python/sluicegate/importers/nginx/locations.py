"""The locations of a server, as a tree, each with the limits that apply there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from sluicegate.importers.nginx.limits import Limits, limits_at
from sluicegate.importers.nginx.parsing import Directive
from sluicegate.importers.nginx.paths import EVERY_PATH, Path, path_of
from sluicegate.importers.nginx.regex import paths_of
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.nginx.zones import Zone

__all__ = ["Location", "tree_of"]

_MODIFIER = re.compile(r"(=|\^~|~\*|~|@)?\s*(.*)", re.DOTALL)
_EVERY_URI = (
    "^",
    "^/",
    ".*",
    "^.*",
    "^.*$",
    "^(.*)$",
    "(.*)",
    "^/(.*)$",
    "^/(.*)",
    "^/?(.*)$",
    "^/?(.*)",
)


@dataclass(eq=False)
class Location:
    """A location, or the server itself, which has those requests that no location takes.

    Attributes:
        kind: ``exact``, ``prefix``, ``regex``, or ``server``.
        paths: which it matches, each with whether longer names of the last segment match as well;
            none if no pattern can say it.
        skips_regex: a prefix (``^~``) at which regular expressions are not tried.
        limits: none where requests are answered before limits are looked at.
        answered_by: the directive that answers them then.
    """

    kind: str
    text: str
    directive: Directive
    paths: list[tuple[Path, bool]]
    limits: Limits
    skips_regex: bool = False
    answered_by: Directive | None = None
    exact: list[Location] = field(default_factory=list["Location"])
    prefixes: list[Location] = field(default_factory=list["Location"])
    regexes: list[Location] = field(default_factory=list["Location"])

    def walk(self) -> Iterator[Location]:
        """It and all within it."""
        yield self
        for inner in (*self.exact, *self.prefixes, *self.regexes):
            yield from inner.walk()


def tree_of(
    server: Directive, outer: Limits, zones: Mapping[str, Zone], report: Report
) -> Location:
    """The tree of a ``server`` block in an http block with the limits ``outer``."""
    root = Location("server", "", server, [(EVERY_PATH, False)], outer)
    _fill(root, outer, zones, report)
    if root.answered_by is not None:  # before a location is looked for
        return Location("server", "", server, root.paths, Limits(), answered_by=root.answered_by)
    return root


def _fill(location: Location, outer: Limits, zones: Mapping[str, Zone], report: Report) -> None:
    """Add the limits of a location and what is within it."""
    directive = location.directive
    limits = limits_at(directive, outer, zones, report)
    location.answered_by = _answer(directive)
    location.limits = Limits() if location.answered_by is not None else limits
    for inner in directive.all("location"):
        found = _location(inner)
        if found is not None:
            _fill(found, limits, zones, report)
            lists = {
                "exact": location.exact,
                "prefix": location.prefixes,
                "regex": location.regexes,
            }
            lists[found.kind].append(found)


def _location(directive: Directive) -> Location | None:
    """A location without its limits; ``None`` for one that no request has by its path (``@name``)."""
    read = _MODIFIER.fullmatch(" ".join(directive.args))
    assert read is not None
    modifier, text = read[1] or "", read[2]
    if modifier == "@":
        return None
    if modifier in ("~", "~*"):
        paths = paths_of(text, ignores_case=modifier == "~*")
        return Location("regex", text, directive, paths or [], Limits())
    if modifier == "=":
        path = path_of(text, rest=False)
        exact = [] if path is None else [(path, False)]
        return Location("exact", text, directive, exact, Limits())
    path = path_of(text, rest=True) if text else EVERY_PATH
    prefix = [] if path is None else [(path, not text.endswith("/") and path != EVERY_PATH)]
    return Location("prefix", text, directive, prefix, Limits(), skips_regex=modifier == "^~")


def _answer(block: Directive) -> Directive | None:
    """What answers all requests of a block before limits are looked at, if anything does."""
    for directive in block.block or ():
        if directive.name in ("return", "internal"):
            return directive
        if directive.name == "rewrite" and _redirects(*directive.args):
            return directive
    return None


def _redirects(regex: str = "", to: str = "", flag: str = "") -> bool:
    """Whether a ``rewrite`` answers every request."""
    is_elsewhere = to.startswith(("http://", "https://", "$scheme"))
    return regex in _EVERY_URI and (is_elsewhere or flag in ("redirect", "permanent"))
