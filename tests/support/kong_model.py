"""What Kong does with requests, slowly: which route, which configuration of a plugin, which counters.

After the pages of Kong's documentation that ``tests/importers/kong/test_documented.py`` names, and where
they are silent after its source: ``get_priority`` in ``kong/router/transform.lua`` and
``get_local_key`` in ``kong/plugins/rate-limiting/policies/init.lua``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timezone
from fractions import Fraction
from typing import Any, NamedTuple

Table = dict[str, Any]

_PARTS = ("consumer", "consumer_group", "route", "service")
_SECONDS = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
#: Which parts a scope has, in the order of precedence.
_PRECEDENCE = [
    "consumer route service",
    "consumer_group route service",
    "consumer route",
    "consumer service",
    "consumer_group route",
    "consumer_group service",
    "route service",
    "consumer",
    "consumer_group",
    "route",
    "service",
    "",
]


class Request(NamedTuple):
    path: str = "/"
    method: str = "GET"
    host: str = "a.test"
    consumer: str | None = None
    address: str = "192.0.2.1"


class TieError(Exception):
    """Kong does not say which of two routes it takes."""


@dataclass
class Kong:
    """A configuration at work, all of whose plugins are at its top level."""

    config: Table
    counters: Counter[tuple[Any, ...]] = field(default_factory=Counter[tuple[Any, ...]])

    def route_of(self, request: Request) -> Table | None:
        """The route that a request gets."""
        found: list[tuple[tuple[int, ...], Table]] = []
        for route in self.config.get("routes", ()):
            if not _matches(route, request):
                continue
            for path in route.get("paths", [None]):
                if path is None or _has_path(path, request.path):
                    found.append((_priority(route, path), route))
        if not found:
            return None
        highest = max(priority for priority, _ in found)
        first, *others = [route for priority, route in found if priority == highest]
        if any(other is not first for other in others):
            raise TieError
        return first

    def chosen(self, request: Request) -> list[Table]:
        """The one configuration of each plugin that applies."""
        route = self.route_of(request)
        found: list[Table] = []
        for name in ("rate-limiting", "rate-limiting-advanced"):
            ranked: list[tuple[int, str, int]] = []
            plugins = self.config["plugins"]
            for place, plugin in enumerate(plugins):
                if plugin["name"] == name and self._fits(plugin, route, request.consumer):
                    scope = " ".join(part for part in _PARTS if part in plugin)
                    rank = _PRECEDENCE.index(scope)
                    ranked.append((rank, plugin.get("consumer_group", ""), place))
            if ranked:
                found.append(plugins[min(ranked)[2]])
        return found

    def _fits(self, plugin: Table, route: Table | None, consumer: str | None) -> bool:
        service = None if route is None else route.get("service")
        if "route" in plugin and (route is None or plugin["route"] != route["name"]):
            return False
        if "service" in plugin and plugin["service"] != service:
            return False
        if "consumer" in plugin and plugin["consumer"] != consumer:
            return False
        return "consumer_group" not in plugin or plugin["consumer_group"] in self.groups_of(
            consumer
        )

    def groups_of(self, consumer: str | None) -> list[str]:
        for each in self.config.get("consumers", ()):
            if each["username"] == consumer:
                return [group["name"] for group in each.get("groups", ())]
        return []

    def admits(self, request: Request, now: int) -> bool:
        """Decide at a time in whole seconds, and count what is admitted in all windows."""
        windows = [
            window
            for plugin in self.chosen(request)
            for window in self._windows(plugin, request, now)
        ]
        for limit, key, start, before, weight in windows:
            rate = self.counters[(*key, start)] + weight * self.counters[(*key, before)]
            if rate + 1 > limit:
                return False
        # A window may be shared by two plugins of one namespace, but not by two that apply at once.
        for _, key, start, _, _ in windows:
            self.counters[(*key, start)] += 1
        return True

    def _windows(self, plugin: Table, request: Request, now: int) -> list[tuple[Any, ...]]:
        config = plugin["config"]
        if plugin["name"] == "rate-limiting":
            scope = plugin.get("route"), plugin.get("service")
            key = (plugin["name"], *scope, *self._identifier(config, "limit_by", request))
            return [
                (config[period], (*key, period), _start(period, now), None, Fraction(0))
                for period in ("second", "minute", "hour", "day", "month", "year")
                if period in config
            ]
        place = self.config["plugins"].index(plugin)
        key = (
            plugin["name"],
            config.get("namespace", place),
            *self._identifier(config, "identifier", request),
        )
        found: list[tuple[Any, ...]] = []
        for limit, size in zip(config["limit"], config["window_size"], strict=True):
            start = now - now % size
            weight = Fraction(0)
            if config.get("window_type", "sliding") == "sliding":
                weight = Fraction(size - now % size, size)
            found.append((limit, (*key, size), start, start - size, weight))
        return found

    def _identifier(self, config: Table, key: str, request: Request) -> tuple[str, str]:
        """What a counter is for. What the address stands in for is told apart by its kind."""
        by, route = config.get(key, "consumer"), self.route_of(request)
        if by == "consumer":
            return "client", request.consumer or request.address
        if by == "service" and route is not None and route.get("service"):
            return "service", route["service"]
        if by == "path" and request.path == config["path"]:
            return "path", request.path
        return "ip", request.address


def _start(period: str, now: int) -> Any:
    if period in _SECONDS:
        return now - now % _SECONDS[period]
    day = datetime.fromtimestamp(now, timezone.utc)
    return (day.year, day.month) if period == "month" else day.year


def _matches(route: Table, request: Request) -> bool:
    if route.get("methods") and request.method not in route["methods"]:
        return False
    hosts = route.get("hosts")
    return not hosts or any(
        request.host.endswith(host[1:]) if host.startswith("*") else request.host == host
        for host in hosts
    )


def _has_path(path: str, requested: str) -> bool:
    if path.startswith("~"):
        return re.match(path[1:].replace("(?<", "(?P<"), requested) is not None
    return requested.startswith(path)


def _priority(route: Table, path: str | None) -> tuple[int, ...]:
    kinds = [route.get("methods"), route.get("hosts"), route.get("headers"), path]
    hosts = route.get("hosts") or []
    is_regex = path is not None and path.startswith("~")
    return (
        sum(map(bool, kinds)),
        bool(hosts) and not any("*" in host for host in hosts),
        len(route.get("headers") or ()),
        is_regex,
        route.get("regex_priority", 0) if is_regex else 0,
        0 if path is None or is_regex else len(path),
    )
