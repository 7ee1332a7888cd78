"""Configurations that a real nginx runs, with traffic for each."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from nginx_limits import Request

CLIENTS = 24


class Scenario(NamedTuple):
    """A configuration, with ``PORT`` and ``APP`` for where to listen and where the app is.

    Attributes:
        http: what stands in the http block.
        make: gives the next requests, at times from now on.
        refused: the status of refused ones.
        margin: no arrival is nearer, in milliseconds, to a time at which it would have another outcome.
            More than two servers may differ by, since a busy machine is late.
    """

    http: str
    make: Callable[[random.Random], list[Request]]
    refused: int = 429
    margin: int = 60


def bursts(
    *paths: str,
    headers: tuple[tuple[tuple[str, str], ...], ...] = ((),),
    most: int = 9,
    offset: int = 100,
    gap: int = 0,
) -> Callable[[random.Random], list[Request]]:
    """A client's burst, ``offset`` ms behind a first request, or single ones, with pauses.

    Where clients share a key, a ``gap`` keeps them from overtaking each other.
    """

    def make(source: random.Random) -> list[Request]:
        pause = max(source.choice([10, 40, 80, 160, 300]), gap)
        client, path = (
            source.randrange(CLIENTS // 4 if source.random() < 0.6 else CLIENTS),
            source.choice(paths),
        )
        sent = source.choice(headers)
        first = Request(pause, client, path, sent)
        if source.random() < 0.5:
            return [first]
        later = first._replace(at=pause + offset)
        return [first, *[later] * source.randint(2, most)]

    return make


def _held(source: random.Random) -> list[Request]:
    """Requests on which the app works for a while."""
    pause, hold = source.choice([5, 60, 120, 240]), source.choice([200, 400, 800])
    return [Request(pause, source.randrange(6), "/", (), hold)] * source.randint(1, 4)


_ADDRESS = "limit_req_zone $binary_remote_addr zone=ip:1m rate=5r/s; limit_req_status 429;"
_SERVER = "server {{ listen 127.0.0.1:PORT; {} location / {{ {} empty_gif; }} }}"


def _alone(limits: str) -> str:
    return _ADDRESS + _SERVER.format("", limits)


def mended() -> str:
    """The http block of configs/article.conf, whose premium location chooses a zone by a variable.

    A zone for each kind of client does what it means: its key is empty for the others.
    """
    text = (Path(__file__).parents[1] / "importers" / "configs" / "article.conf").read_text()
    begin, end = text.index("# Check API key tier"), text.index("limit_req zone=$rate_limit_zone")
    text = text.replace(text[begin:end], "").replace(
        "limit_req zone=$rate_limit_zone burst=50 nodelay;",
        "limit_req zone=without_key burst=50 nodelay; limit_req zone=with_key burst=50 nodelay;",
    )
    maps = """
    map $http_x_api_key $without_key { "" $binary_remote_addr; default ""; }
    map $http_x_api_key $with_key { default $http_x_api_key; }
    limit_req_zone $without_key zone=without_key:10m rate=10r/s;
    limit_req_zone $with_key zone=with_key:10m rate=100r/s;
    """
    text = text.replace("server api1:8000 weight=5;", "server APP;").replace(
        "server api2:8000 weight=5;", ""
    )
    text = text.replace("listen 80;", "listen 127.0.0.1:PORT;")
    return maps + text[text.index("{") + 1 : text.rindex("}")]


SCENARIOS = {
    "a burst at once": Scenario(_alone("limit_req zone=ip burst=5 nodelay;"), bursts("/")),
    "a burst that is held": Scenario(_alone("limit_req zone=ip burst=5;"), bursts("/")),
    "two at once, others held": Scenario(_alone("limit_req zone=ip burst=6 delay=2;"), bursts("/")),
    "no burst, and nginx's own status": Scenario(
        _alone("limit_req zone=ip;").replace("limit_req_status 429;", ""), bursts("/", most=3), 503
    ),
    "by the minute": Scenario(
        "limit_req_zone $binary_remote_addr zone=slow:1m rate=90r/m; limit_req_status 429;"
        + _SERVER.format("", "limit_req zone=slow burst=3;"),
        bursts("/", most=5),
    ),
    "several zones": Scenario(
        _ADDRESS
        + "limit_req_zone $server_name zone=all:1m rate=6r/s;"
        + _SERVER.format(
            "server_name localhost;",
            "limit_req zone=ip burst=4 nodelay; limit_req zone=all burst=12;",
        ),
        bursts("/", gap=80),
    ),
    "inheritance": Scenario(
        _ADDRESS
        + """
        limit_req_zone $binary_remote_addr zone=slow:1m rate=4r/s;
        limit_req zone=ip burst=3 nodelay;
        server {
            listen 127.0.0.1:PORT;
            location / { empty_gif; }
            location /own/ { limit_req zone=slow burst=2 nodelay; empty_gif;
                location /own/more/ { empty_gif; } }
            location /none/ { limit_req zone=ip burst=100 nodelay; empty_gif; }
        }
        """,
        bursts("/", "/a", "/own/x", "/own/more/x", "/none/x", most=5),
    ),
    "one zone with several bursts": Scenario(
        _ADDRESS
        + """
        server {
            listen 127.0.0.1:PORT;
            location /api/ { limit_req zone=ip burst=8 nodelay; empty_gif; }
            location = /api/login { limit_req zone=ip burst=1 nodelay; empty_gif; }
            location ~ ^/api/[^/]+/slow$ { limit_req zone=ip burst=4; empty_gif; }
            location / { empty_gif; }
        }
        """,
        bursts("/api/a", "/api/login", "/api/a/slow", "/free"),
    ),
    "map and geo": Scenario(
        """
        geo $office { default 0; 127.0.1.1/32 1; 127.0.1.4/30 1; }
        map $office$http_x_token $limited {
            default $binary_remote_addr;
            ~^1 "";
            0secret "";
            "~^0team-(?<team>.*)$" $team;
        }
        limit_req_zone $limited zone=ip:1m rate=5r/s; limit_req_status 429;
        """
        + _SERVER.format("", "limit_req zone=ip burst=3 nodelay;"),
        bursts(
            "/",
            gap=80,
            headers=(
                (),
                (),
                (("x-token", "secret"),),
                (("x-token", "team-a"),),
                (("x-token", "team-b"),),
            ),
        ),
    ),
    "several servers": Scenario(
        _ADDRESS
        + """
        limit_req_zone $binary_remote_addr$server_name zone=each:1m rate=3r/s;
        server { listen 127.0.0.1:PORT; server_name a.test; limit_req zone=each burst=2 nodelay;
            location / { empty_gif; } }
        server { listen 127.0.0.1:PORT; server_name *.b.test; limit_req zone=each burst=4 nodelay;
            location / { empty_gif; } }
        server { listen 127.0.0.1:PORT default_server; limit_req zone=ip burst=1 nodelay;
            location / { empty_gif; } }
        """,
        bursts(
            "/",
            headers=((("host", "a.test"),), (("host", "x.b.test"),), (("host", "b.test"),)),
            most=6,
        ),
    ),
    "connections": Scenario(
        "limit_conn_zone $binary_remote_addr zone=conn:1m; limit_conn_status 429;"
        + _SERVER.format("limit_conn conn 3;", "").replace("empty_gif", "proxy_pass http://APP"),
        _held,
    ),
    "a header": Scenario(
        "limit_req_zone $http_x_api_key zone=key:1m rate=5r/s; limit_req_status 429;"
        + _SERVER.format("", "limit_req zone=key burst=3 nodelay;"),
        bursts("/", headers=((("x-api-key", "one"),), (("x-api-key", "two"),)), gap=80),
    ),
    "the printed configuration, mended": Scenario(
        mended(),
        bursts(
            "/api/a",
            "/api/premium/a",
            "/api/auth/a",
            "/api/b",
            "/other",
            headers=((), (), (("x-api-key", "one"),), (("x-api-key", "two"),)),
            most=23,
            offset=50,
            gap=80,
        ),
        margin=40,
    ),
}
