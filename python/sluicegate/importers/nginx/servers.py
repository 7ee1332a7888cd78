"""The servers: by which hosts they are chosen, and which of them an app is behind."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sluicegate.importers.nginx.limits import Limits
from sluicegate.importers.nginx.locations import Location, tree_of
from sluicegate.importers.nginx.order import Step, steps_of
from sluicegate.importers.nginx.parsing import Directive
from sluicegate.importers.nginx.report import Report
from sluicegate.importers.nginx.zones import Zone

__all__ = ["Server", "hosts_of", "servers_of"]

_PORT = re.compile(r"(?P<address>.*?):?(?P<port>[0-9]+)")
_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.ASCII)
_USUAL = "*:80"


@dataclass(eq=False)
class Server:
    """A ``server`` block.

    Attributes:
        names: as it has them; the first is its own name.
        sockets: addresses with ports, and whether it is the default server there.
        root: the tree of its locations.
    """

    directive: Directive
    names: list[str]
    sockets: dict[str, bool]
    root: Location

    @property
    def name(self) -> str:
        """What ``$server_name`` is: empty if there is none."""
        return self.names[0].removeprefix(".") if self.names else ""

    @property
    def passes_on(self) -> bool:
        """Whether it hands any request to an app, as by ``proxy_pass``."""
        return any(
            inner.name.endswith("_pass")
            for location in self.root.walk()
            if location.answered_by is None
            for inner in location.directive.walk()
        )

    @cached_property
    def steps(self) -> list[Step]:
        """Which location a request gets."""
        return steps_of(self.root)


def servers_of(
    http: Directive, outer: Limits, zones: Mapping[str, Zone], report: Report
) -> list[Server]:
    """All of them, in the order of the file."""
    found: list[Server] = []
    for directive in http.all("server"):
        names = [name for inner in directive.all("server_name") for name in inner.args]
        sockets = dict(map(_socket, directive.all("listen"))) or {_USUAL: False}
        found.append(Server(directive, names, sockets, tree_of(directive, outer, zones, report)))
    return found


def _socket(listen: Directive) -> tuple[str, bool]:
    where = listen.args[0] if listen.args else _USUAL
    is_default = any(arg in ("default_server", "default") for arg in listen.args[1:])
    if where.startswith("unix:"):
        return where, is_default
    if where.startswith("[") and where.endswith("]"):
        return f"{where}:80", is_default
    read = _PORT.fullmatch(where)
    if read is None or (where.count(".") == 3 and ":" not in where):
        return f"{where}:80", is_default
    return f"{read['address'] or '*'}:{read['port']}", is_default


def hosts_of(servers: list[Server], report: Report) -> Iterator[tuple[str | None, Server]]:
    """Which server a request gets by its host: the first host that matches; ``None`` matches all.

    A policy sees no ports: of servers at several ports it takes the first that an app can be behind.
    """
    by_host: dict[str, list[Server]] = {}
    defaults: list[Server] = []
    for socket in dict.fromkeys(socket for server in servers for socket in server.sockets):
        here = [server for server in servers if socket in server.sockets]
        known: dict[str, Server] = {}
        for server in here:
            for host in _hosts(server, report):
                known.setdefault(host, server)
        for host, server in known.items():
            by_host.setdefault(host, []).append(server)
        defaults.append(next((server for server in here if server.sockets[socket]), here[0]))
    hosts = sorted(
        by_host, key=lambda host: (host.startswith("*."), -len(host) * host.startswith("*."))
    )
    chosen: list[tuple[str | None, Server]] = [
        (host, _one(host, by_host[host], report)) for host in hosts
    ]
    if defaults:
        chosen.append((None, _one(None, defaults, report)))
    for place, (name, server) in enumerate(chosen):
        if not _is_needless(name, server, chosen[place + 1 :]):
            yield name, server


def _hosts(server: Server, report: Report) -> Iterator[str]:
    for name in server.names:
        host = name.lower()
        if host in ("", "_"):
            continue  # which no request has
        if host.startswith("."):
            yield host[1:]
            host = f"*{host}"
        if _HOST.fullmatch(host):
            yield host
        else:
            report.differs(
                next(d for d in server.directive.all("server_name") if name in d.args),
                f"{name}: a policy's host is whole, or *.example.com for all below one",
                f"requests for hosts that only {name} names have the limits of the default server",
            )


def _one(host: str | None, servers: list[Server], report: Report) -> Server:
    """The first that an app can be behind."""
    servers = sorted(dict.fromkeys(servers), key=lambda server: server.directive.origin)
    behind = [server for server in servers if server.passes_on] or servers
    for other in behind[1:]:
        shown = "other hosts" if host is None else host
        report.differs(
            other.directive,
            "a policy sees no ports: the server at "
            f"{behind[0].directive.origin} is for {shown} too, at {', '.join(behind[0].sockets)}",
            f"requests for {shown} at {', '.join(other.sockets)} have the limits of that server",
        )
    return behind[0]


def _is_needless(host: str | None, server: Server, later: list[tuple[str | None, Server]]) -> bool:
    """Whether a host's requests get the same server if it is not named."""
    for other, its in later:
        if other is None or (
            other.startswith("*.") and host is not None and host.endswith(other[1:])
        ):
            return its is server
    return False
