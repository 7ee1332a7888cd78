"""nginx's limit_req and limit_conn as they count, to the millisecond and the thousandth.

After ``ngx_http_limit_req_handler``, ``_lookup`` and ``_account`` and ``ngx_http_limit_conn_handler`` of
nginx 1.22: the excess over the rate is kept in thousandths of a request, time in milliseconds.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from nginx_search import blocks_of, server_of
from sluicegate.importers.nginx.parsing import Directive


class Request(NamedTuple):
    """One that is sent.

    Attributes:
        at: milliseconds from the beginning.
        client: which of the clients sends it.
        hold: milliseconds for which the app works on it.
    """

    at: int
    client: int
    path: str = "/"
    headers: tuple[tuple[str, str], ...] = ()
    hold: int = 0

    @property
    def address(self) -> str:
        return f"127.0.1.{self.client + 1}"


class Outcome(NamedTuple):
    """What became of it: ``passed``, ``delayed`` or ``refused``, and for how many milliseconds held."""

    kind: str
    delay: int = 0


@dataclass
class _Node:
    excess: int
    last: int


@dataclass
class NginxLimits:
    """The state of all zones of a configuration."""

    http: Directive
    #: Milliseconds from the nearest time at which a decision so far would have been another.
    margin: float = float("inf")
    _req: dict[tuple[str, str], _Node] = field(default_factory=dict)
    _conn: dict[tuple[str, str], list[int]] = field(default_factory=dict)

    def run(self, requests: list[Request]) -> list[Outcome]:
        """All outcomes of requests in the order in which they come."""
        found: dict[int, Outcome] = {}
        waiting = [(request.at, place, False) for place, request in enumerate(requests)]
        heapq.heapify(waiting)
        while waiting:
            now, place, is_held = heapq.heappop(waiting)
            request = requests[place]
            if not is_held:
                found[place] = self.decide(request)
                if found[place].kind == "refused":
                    continue
                if found[place].delay:
                    heapq.heappush(waiting, (now + found[place].delay, place, True))
                    continue
            if not self.connect(request, now):
                found[place] = Outcome("refused")
        return [found[place] for place in range(len(requests))]

    def decide(self, request: Request) -> Outcome:
        """By ``limit_req``, which charges as well."""
        uses = [*self._uses(request)]
        looked: list[tuple[int, _Node | None, _Use, str]] = []
        for use, key in uses:
            node = self._req.get((use.zone, key))
            excess = 0 if node is None else max(self._excess(node, use.rate, request.at), 0)
            self._mark(node, use, request.at)
            if excess > use.burst * 1000:
                return Outcome("refused")
            looked.append((excess, node, use, key))
        longest = 0
        for excess, node, use, key in looked:
            if node is None:
                self._req[use.zone, key] = _Node(0, request.at)
            else:
                node.excess = excess
                node.last = request.at
            if excess > use.delay * 1000:
                longest = max(longest, (excess - use.delay * 1000) * 1000 // use.rate)
        return Outcome("delayed", longest) if longest else Outcome("passed")

    def connect(self, request: Request, now: int) -> bool:
        """By ``limit_conn``; the request is among those that are under way until it is answered."""
        blocks = (self.http, *blocks_of(server_of(self.http, _host(request)), request.path))
        having = [block.all("limit_conn") for block in blocks if block.all("limit_conn")]
        counted: list[list[int]] = []
        for directive in having[-1] if having else ():
            zone = self._zone("limit_conn_zone", directive.args[0])
            key = self.expand(zone.args[0], request)
            if not key:
                continue
            ends = self._conn.setdefault((directive.args[0], key), [])
            most = int(directive.args[1])
            if len(ends) >= most:  # of so many the one that ends first decides
                first = sorted(ends)[-most]
                self.margin = min(self.margin, abs(first - now))
                if first > now:
                    return False
            counted.append(ends)
        for ends in counted:
            ends.append(now + request.hold)
        return True

    def _mark(self, node: _Node | None, use: _Use, now: int) -> None:
        """Take note of how near the decision was to another one."""
        if node is None:
            return
        exact = node.excess - use.rate * (now - node.last) / 1000 + 1000
        self.margin = min(self.margin, abs(exact - use.burst * 1000) * 1000 / use.rate)

    @staticmethod
    def _excess(node: _Node, rate: int, now: int) -> int:
        return node.excess - rate * max(now - node.last, 0) // 1000 + 1000

    def _uses(self, request: Request) -> Iterator[tuple[_Use, str]]:
        blocks = (self.http, *blocks_of(server_of(self.http, _host(request)), request.path))
        having = [block.all("limit_req") for block in blocks if block.all("limit_req")]
        for directive in having[-1] if having else ():
            given = dict(arg.partition("=")[::2] for arg in directive.args)
            zone = self._zone("limit_req_zone", given["zone"])
            amount, _, unit = zone.args[2].removeprefix("rate=").partition("r/")
            rate = int(amount) * 1000 // {"s": 1, "m": 60}[unit]
            burst = int(given.get("burst", 0))
            delay = burst if "nodelay" in given else int(given.get("delay", 0))
            key = self.expand(zone.args[0], request)
            if key:
                yield _Use(given["zone"], rate, burst, delay), key

    def _zone(self, kind: str, name: str) -> Directive:
        zones = self.http.all(kind)
        return next(zone for zone in zones if any(a.startswith(f"zone={name}:") for a in zone.args))

    def expand(self, text: str, request: Request) -> str:
        """A text with the values of its variables."""
        return re.sub(r"\$\{?(\w+)\}?", lambda found: self._value(found[1], request), text)

    def _value(self, name: str, request: Request) -> str:
        if name.endswith("remote_addr"):
            return request.address
        if name == "server_name":
            server = server_of(self.http, _host(request))
            return next((d.args[0] for d in server.all("server_name")), "")
        if name.startswith("http_"):
            return dict(request.headers).get(name[5:].replace("_", "-"), "")
        for table in self.http.block or ():
            if table.name in ("map", "geo") and table.args[-1] == f"${name}":
                return self._looked_up(table, request)
        raise AssertionError(name)

    def _looked_up(self, table: Directive, request: Request) -> str:
        entries = {entry.name: entry.args[0] for entry in table.block or ()}
        default = entries.pop("default", "")
        if table.name == "geo":
            address = ip_address(request.address)
            fits = [ip_network(text) for text in entries if address in ip_network(text)]
            return entries[str(max(fits, key=lambda net: net.prefixlen))] if fits else default
        source = self.expand(table.args[0], request)
        if source in entries:
            return self.expand(entries[source], request)
        for text, value in entries.items():
            match = (
                re.search(text[1:].replace("(?<", "(?P<"), source)
                if text[:1] == "~" and source
                else None
            )
            if match:
                for name, group in match.groupdict().items():
                    value = value.replace(f"${name}", group)
                return self.expand(value, request)
        return self.expand(default, request)


class _Use(NamedTuple):
    zone: str
    rate: int
    burst: int
    delay: int


def _host(request: Request) -> str:
    return dict(request.headers).get("host", "localhost")
