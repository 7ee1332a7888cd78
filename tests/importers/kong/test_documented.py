"""What Kong's documentation says of windows, precedence and routes, and the policy that does so.

Kong itself is not to be had here. Each case names the page on which it stands: its title, and its
path at developer.konghq.com (before 2025 at docs.konghq.com).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kong_model import Kong, Request
from kong_policies import Imported, imported, rules

#: A whole day begins at 1,699,920,000; the first of a month at 1,698,796,800.
DAY, MONTH = 1_699_920_000, 1_698_796_800


class Page(NamedTuple):
    title: str
    path: str


PRECEDENCE = Page("Plugin precedence", "/gateway/entities/plugin/#plugin-precedence")
WINDOWS = Page("Rate limiting window types", "/gateway/rate-limiting/window-types/")
ARRAYS = Page(
    "Rate Limiting Advanced plugin with arrays in config.limit and config.window_size",
    "/support/rate-limiting-advanced-plugin-with-arrays-in-config-limit-and-config-window-size/",
)
PATH = Page(
    "Expected behavior for the Rate Limiting plugin with a path identifier",
    "/support/what-is-the-expected-behaviour-for-the-rate-limiting-plugin-with-path-identifier/",
)
PLAIN = Page("Rate Limiting", "/plugins/rate-limiting/")
ADVANCED = Page("Rate Limiting Advanced", "/plugins/rate-limiting-advanced/")
ROUTER = Page("Traditional router", "/gateway/routing/traditional/")
PLUGINS = ("consumer", "consumer_group", "route", "service")


def advanced(limit: list[int], size: list[int], kind: str = "fixed", **more: Any) -> dict[str, Any]:
    config = {"limit": limit, "window_size": size, "window_type": kind, "disable_penalty": True}
    return {"name": "rate-limiting-advanced", "config": {**config, **more}}


def plain(**config: Any) -> dict[str, Any]:
    return {"name": "rate-limiting", "config": {"policy": "local", **config}}


# Each: the page, a plugin, where the clock stands, and how many requests are admitted of those that come
# at each time after it.
TIMES: list[tuple[Page, dict[str, Any], int, list[tuple[int, int, int]]]] = [
    # 12 requests in one minute: 10 are accepted.
    (WINDOWS, advanced([10], [60]), DAY, [(0, 12, 10)]),
    (WINDOWS, advanced([10], [60], "sliding"), DAY, [(0, 12, 10)]),
    # 10 in the 59th second of a fixed window, and 10 in the first second of the next.
    (WINDOWS, advanced([10], [60]), DAY, [(59, 10, 10), (60, 10, 10)]),
    # Not so where the window slides: all of the window before counts at its end.
    (WINDOWS, advanced([10], [60], "sliding"), DAY, [(59, 10, 10), (60, 10, 0), (90, 10, 5)]),
    # 2 each 10 seconds, until there are 5 in 60.
    (ARRAYS, advanced([2, 5], [10, 60]), DAY, [(0, 3, 2), (10, 3, 2), (20, 3, 1), (30, 1, 0), (60, 3, 2)]),
    (ADVANCED, advanced([10, 100], [60, 3600]), DAY, [(60 * n, 11, 10) for n in range(10)] + [(600, 1, 0)]),
    # Any number of seconds; windows begin at multiples of it since 1970.
    (ADVANCED, advanced([200], [1800]), DAY, [(1799, 201, 200), (1800, 201, 200)]),
    (ADVANCED, advanced([5000], [86400]), DAY, [(86_399, 5001, 5000), (86_400, 1, 1)]),
    # Seconds, minutes, hours, days, months and years begin with those of the clock, in UTC.
    (PLAIN, plain(second=5, hour=10), DAY, [(0, 6, 5), (1, 6, 5), (2, 1, 0), (3_600, 6, 5)]),
    (PLAIN, plain(minute=5), DAY, [(59, 6, 5), (60, 6, 5)]),
    (PLAIN, plain(day=5), DAY, [(86_399, 6, 5), (86_400, 6, 5)]),
    (PLAIN, plain(month=5), MONTH, [(0, 6, 5), (29 * 86_400, 1, 0), (30 * 86_400, 6, 5)]),
    (PLAIN, plain(year=5), MONTH, [(0, 6, 5), (60 * 86_400, 1, 0), (61 * 86_400, 6, 5)]),
]  # fmt: skip


@pytest.mark.parametrize(("page", "plugin", "start", "times"), TIMES)
def test_windows(
    page: Page,
    plugin: dict[str, Any],
    start: int,
    times: list[tuple[int, int, int]],
    tmp_path: Path,
) -> None:
    config = {"plugins": [plugin]}
    policy = Imported(tmp_path, imported(tmp_path, config), start)
    kong, now = Kong(config), start
    for at, count, admitted in times:
        policy.clock.advance(start + at - now)
        now = start + at
        assert sum(policy.admits(*[Request()] * count)) == admitted, page
        assert sum(kong.admits(Request(), now) for _ in range(count)) == admitted, page


def test_the_complete_order_of_precedence(tmp_path: Path) -> None:
    """All scopes at once: the first of the page's list applies, and without it the next."""
    assert PRECEDENCE.title
    scopes = [
        {"consumer", "route", "service"},
        {"consumer_group", "service", "route"},
        {"consumer", "route"},
        {"consumer", "service"},
        {"consumer_group", "route"},
        {"consumer_group", "service"},
        {"route", "service"},
        {"consumer"},
        {"consumer_group"},
        {"route"},
        {"service"},
        set[str](),
    ]
    names = {"consumer": "ada", "consumer_group": "gold", "route": "r", "service": "s"}
    found = {"services": [{"name": "s", "url": "http://s"}], "consumer_groups": [{"name": "gold"}]}
    found["routes"] = [{"name": "r", "service": "s", "paths": ["/r"]}]  # type: ignore[list-item]
    found["consumers"] = [{"username": "ada", "groups": [{"name": "gold"}]}]  # type: ignore[list-item]
    plugins = [
        {**plain(minute=amount), **{part: names[part] for part in PLUGINS if part in scope}}
        for amount, scope in enumerate(scopes, 1)
    ]
    for amount in range(1, 13):
        # Those that are left, in the other order.
        config = {**found, "plugins": plugins[: amount - 2 : -1] if amount > 1 else plugins[::-1]}
        policy = Imported(tmp_path, imported(tmp_path, config))
        policy.groups = {"ada": ["gold"]}
        request = Request("/r/x", consumer="ada")
        assert sum(policy.admits(*[request] * 13)) == amount


def test_a_path_counts_apart_from_all_others(tmp_path: Path) -> None:
    """Three requests a minute for /http1, and three more for /http2 and /http3 together."""
    assert PATH.title
    config = {
        "services": [{"name": "httpbin", "url": "http://httpbin.org/anything"}],
        "routes": [
            {"name": f"http{n}", "paths": [f"/http{n}"], "service": "httpbin"} for n in (1, 2, 3)
        ],
        "plugins": [
            {**advanced([3], [60], identifier="path", path="/http1"), "service": "httpbin"}
        ],
    }
    policy = Imported(tmp_path, imported(tmp_path, config))
    paths = ["/http1", "/http1", "/http1", "/http1", "/http2", "/http3", "/http3", "/http2"]
    assert policy.admits(*map(Request, paths)) == [True] * 3 + [False] + [True] * 3 + [False]
    assert policy.admits(Request("/http2", address="192.0.2.9")) == [True]


@pytest.mark.parametrize(
    ("routes", "request_", "name"),
    [
        # More kinds of condition go first.
        (
            {"a": {"hosts": ["example.com"]}, "b": {"hosts": ["example.com"], "methods": ["POST"]}},
            Request("/", "POST", "example.com"),
            "b",
        ),
        (
            {"a": {"hosts": ["example.com"]}, "b": {"hosts": ["example.com"], "methods": ["POST"]}},
            Request("/", "GET", "example.com"),
            "a",
        ),
        # Hosts without a wildcard go before those with one, a prefix by its length.
        (
            {"a": {"hosts": ["*.example.com"]}, "b": {"hosts": ["a.example.com"]}},
            Request("/", "GET", "a.example.com"),
            "b",
        ),
        (
            {"a": {"hosts": ["*.example.com", "service.com"]}, "b": {"paths": ["/"]}},
            Request("/", "GET", "x.y.example.com"),
            "b",  # of one weight: a longer prefix
        ),
        (
            {"a": {"paths": ["/service"]}, "b": {"paths": ["/service/resource"]}},
            Request("/service/resource/1"),
            "b",
        ),
        # Regular expressions go before prefixes, and by regex_priority.
        (
            {"a": {"paths": ["/version/any"]}, "b": {"paths": ["~/version/any/"]}},
            Request("/version/any/1"),
            "b",
        ),
        (
            {
                "a": {"paths": ["~/[^/]+/status$"], "regex_priority": 0},
                "b": {"paths": ["~/version/[^/]+$"], "regex_priority": 6},
            },
            Request("/version/status"),
            "b",
        ),
    ],
)
def test_priority_of_routes(
    routes: dict[str, Any], request_: Request, name: str, tmp_path: Path
) -> None:
    assert ROUTER.title
    config = {
        "routes": [{"name": route, **conditions} for route, conditions in routes.items()],
        "plugins": [
            {**plain(minute=minute), "route": route} for minute, route in enumerate(routes, 1)
        ],
    }
    document = imported(tmp_path, config)
    assert Kong(config).route_of(request_) == {"name": name, **routes[name]}
    admitted = sum(Imported(tmp_path, document).admits(*[request_] * 3))
    assert admitted == [*routes].index(name) + 1


def test_what_looks_like_a_regular_expression_is_one_before_3_0(tmp_path: Path) -> None:
    """Upgrade to Kong Gateway 3.x with decK, /deck/reference/3.0-upgrade/."""
    text = (
        '_format_version: "{}"\n'
        "routes: [{{name: r, paths: ['/status/[^/]+$', /plain]}}]\n"
        "plugins: [{{name: rate-limiting, route: r, config: {{minute: 5}}}}]\n"
    )
    for version in ("1.1", "2.1"):
        assert rules(imported(tmp_path, text.format(version))) == [
            "/status/{part2} 5/minute by client, as route r",
            "/plain/* 5/minute by client, as route r",
        ]
    document = imported(tmp_path, text.format("3.0"))
    assert "/plain/* 5/minute by client, as route r" in rules(document)
    assert "/status/{part2} 5/minute by client, as route r" not in rules(document)
