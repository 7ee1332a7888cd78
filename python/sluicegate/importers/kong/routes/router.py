"""Which route a request gets: Kong's routes in the order in which its router tries them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sluicegate.importers.kong.entities import Route
from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.routes.regex import paths_of
from sluicegate.importers.kong.routes.requests import Requests
from sluicegate.importers.kong.routes.unlike import Unlike
from sluicegate.importers.kong.table import Text
from sluicegate.importers.nginx.paths import EVERY_PATH, Path, Target, path_of

__all__ = ["Way", "ways_of"]

_METHOD = re.compile(r"[A-Z][A-Z0-9_-]*", re.ASCII)
_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*", re.ASCII)
#: Before format 3.0 a path was a regular expression if it had any other character.
_PLAIN = re.compile(r"[A-Za-z0-9._~/%-]*", re.ASCII)
_STREAM = {"tcp", "udp", "tls", "tls_passthrough"}
#: What no pattern can say.
_CONDITIONS = ("headers", "snis", "sources", "destinations", "expression")


@dataclass(frozen=True)
class Way:
    """One of the ways in which requests get to a route: by one of its paths.

    Attributes:
        priority: the largest is tried first (``get_priority`` in Kong's ``kong/router/transform.lua``):
            how many kinds of condition there are, whether there are hosts without a wildcard, how
            many headers, whether it is a regular expression and its priority, the prefix's length.
        requests: those that a pattern can name.
    """

    route: Route
    line: int
    text: str
    priority: tuple[int, ...]
    requests: tuple[Requests, ...]


def ways_of(routes: Iterable[Route], is_old: bool, unlike: Unlike, report: Report) -> list[Way]:
    """All ways, in the router's order. What no pattern can say is reported, and is not there.

    ``is_old``: the format is older than 3.0, so that regular expressions are not marked by ``~``.
    """
    found = [way for route in routes for way in _Reader(route, is_old, unlike, report).ways()]
    found.sort(key=lambda way: way.priority, reverse=True)
    return found


class _Reader:
    def __init__(self, route: Route, is_old: bool, unlike: Unlike, report: Report) -> None:
        self._route = route
        self._table = route.table
        self._is_old = is_old
        self._unlike = unlike
        self._report = report

    def ways(self) -> Iterator[Way]:
        table = self._table
        protocols = {each.text for each in table.texts("protocols")}
        if protocols and protocols <= _STREAM:
            self._left_out(table.line_of("protocols"), "it has no requests of HTTP", "none")
            return
        condition = next((name for name in _CONDITIONS if name in table), None)
        if condition is not None:
            self._left_out(
                table.line_of(condition),
                f"a pattern cannot ask for {condition}",
                "its requests are limited as those of the next route that they match, and its own "
                "plugins limit none",
            )
            return
        hosts = table.texts("hosts")
        methods, at = self._methods(), [*self._hosts(hosts)]
        if hosts and not at:
            return
        paths = table.texts("paths")
        if len({"http", "https"} & protocols) == 1:
            self._unlike.protocols(self._route)
        if paths:
            self._unlike.strip_path(self._route)
        given: list[Text | None] = [*paths] if paths else [None]
        for path in given:
            yield from self._way(path, methods, hosts, at)

    def _way(
        self,
        path: Text | None,
        methods: frozenset[str] | None,
        hosts: list[Text],
        at: list[str | None],
    ) -> Iterator[Way]:
        regex = None if path is None else self._regex(path.text)
        if path is None:
            read: list[Path] | None = [EVERY_PATH]
        elif regex is not None:
            read = self._by_regex(path, regex)
        else:
            read = self._by_prefix(path)
        if read is None:
            return
        weight = sum(map(bool, (methods, hosts, path)))
        plain_hosts = bool(hosts) and not any("*" in host.text for host in hosts)
        priority = int(self._table.number("regex_priority") or 0)
        yield Way(
            self._route,
            self._route.table.line if path is None else path.line,
            f"route {self._route.name}" + ("" if path is None else f": {path.text}"),
            (
                weight,
                plain_hosts,
                regex is not None,
                priority if regex is not None else 0,
                0 if path is None or regex is not None else len(path.text),
            ),
            tuple(Requests(methods, Target(host, each)) for host in at for each in read),
        )

    def _regex(self, path: str) -> str | None:
        """The regular expression of a path that is one."""
        if path.startswith("~"):
            return path[1:]
        return path if self._is_old and not _PLAIN.fullmatch(path) else None

    def _by_regex(self, path: Text, regex: str) -> list[Path] | None:
        found = paths_of(regex)
        if found is None:
            self._left_out(
                path.line,
                f"no pattern says the regular expression {path.text}",
                "such requests are limited as those of the next route that they match",
            )
            return None
        for narrower in found.widened:
            self._report.differs(
                path.line,
                f"route {self._route.name}: {path.text}",
                f"a parameter of a pattern is any segment, not only {narrower}",
                "other segments there get this route's limits too",
            )
        if found.is_cut:
            self._unlike.longer(self._route, path.text)
        return list(found.paths)

    def _by_prefix(self, path: Text) -> list[Path] | None:
        read = path_of(path.text, rest=True)
        if read is None:
            self._left_out(
                path.line,
                f"a pattern cannot have the path {path.text!r}",
                "such requests are limited as those of the next route that they match",
            )
            return None
        if read != EVERY_PATH:
            if path.text.endswith("/"):
                self._unlike.shorter(self._route, path.text)
            else:
                self._unlike.longer(self._route, path.text)
        return [read]

    def _methods(self) -> frozenset[str] | None:
        given = {each.text.upper() for each in self._table.texts("methods")}
        for method in sorted(given):
            if not _METHOD.fullmatch(method):
                self._report.wrong(self._table.line_of("methods"), f"{method!r} is no method")
        if "GET" in given and "HEAD" not in given:
            self._unlike.head(self._route)
            given.add("HEAD")
        return frozenset(given) or None

    def _hosts(self, hosts: list[Text]) -> Iterator[str | None]:
        if not hosts:
            yield None
        for line, text in hosts:
            host, _, port = text.lower().partition(":")
            if not _HOST.fullmatch(host):
                self._left_out(
                    line,
                    f"a pattern cannot have the host {text!r}",
                    "requests for it are limited as those of the next route that they match",
                )
                continue
            if port:
                self._report.differs(
                    line,
                    f"route {self._route.name}: host {text}",
                    "a pattern does not look at the port",
                    "requests for the host match at any port",
                )
            yield host

    def _left_out(self, line: int, reason: str, effect: str) -> None:
        self._report.differs(line, f"route {self._route.name}", reason, effect)
