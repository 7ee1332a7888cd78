"""Imported policies at work, against a slow model of Kong: its router, its precedence, its windows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from kong_model import Kong, Request, TieError
from kong_policies import Imported, imported
from sluicegate.importers.origins import ImportFileError

START = 1_700_000_000
KINDS = ["rate-limiting", "rate-limiting-advanced"]
# The first of each list is what is most often met.
SERVICES = ["s1", "s1", "s2"]
CONSUMERS = {"ada": ["gold"], "bob": ["gold", "silver"], "cy": ["silver"], "dan": []}
# None begins another, so that a prefix never ends within a segment.
PATHS = [
    "/",
    "/",
    "/a",
    "/a",
    "/a/b",
    "/b",
    "/c/a",
    "~/a/[^/]+$",
    "~/[^/]+/b$",
    "~/(?<name>[^/]+)/(a|b)/c$",
]
REQUESTED = ["/a/b", "/a/b", "/", "/a", "/a/b", "/a/c", "/b", "/b/b", "/c/a", "/c/b/c", "/a/a/c"]


@st.composite
def routes(draw: st.DrawFn) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for place in range(draw(st.integers(0, 4))):
        route: dict[str, Any] = {"name": f"r{place}"}
        route["paths"] = draw(st.lists(st.sampled_from(PATHS), max_size=2, unique=True))
        route["methods"] = draw(st.sampled_from([None, None, ["POST"], ["GET", "HEAD"]]))
        route["hosts"] = draw(st.sampled_from([None, None, ["a.test"], ["*.b.test", "a.test"]]))
        route["service"] = draw(st.sampled_from([*SERVICES, None]))
        route["regex_priority"] = draw(st.integers(0, 2))
        found.append({key: value for key, value in route.items() if value})
    return found


@st.composite
def plugins(draw: st.DrawFn, names: list[str]) -> list[dict[str, Any]]:
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    kinds = draw(st.sampled_from([KINDS, KINDS[:1], KINDS[1:]]))
    for _ in range(draw(st.integers(1, 8))):
        name = draw(st.sampled_from(kinds))
        scope: dict[str, Any] = {}
        who = draw(st.sampled_from(["consumer", "consumer_group", None, None]))
        if who is not None:
            scope[who] = draw(
                st.sampled_from(
                    ["ada", *CONSUMERS] if who == "consumer" else ["gold", "gold", "silver"]
                )
            )
        if names and draw(st.booleans()):
            scope["route"] = draw(st.sampled_from(names))
        if draw(st.booleans()):
            scope["service"] = draw(st.sampled_from(SERVICES))
        config = draw(plain() if name == "rate-limiting" else advanced())
        found[(name, *scope.items())] = {"name": name, **scope, "config": config}
    return [*found.values()]


@st.composite
def plain(draw: st.DrawFn) -> dict[str, Any]:
    periods = ["second", "hour", "hour", "minute", "hour", "day", "month", "year"]
    chosen = draw(st.sets(st.sampled_from(periods), min_size=1, max_size=2))
    config = {period: draw(st.integers(1, 6)) for period in sorted(chosen)}
    return {**config, "policy": "local", **draw(identifiers("limit_by"))}


@st.composite
def advanced(draw: st.DrawFn) -> dict[str, Any]:
    sizes = draw(
        st.lists(st.sampled_from([1, 7, 60, 90, 3_600]), min_size=1, max_size=2, unique=True)
    )
    is_fixed = draw(st.booleans())
    config: dict[str, Any] = {
        "limit": [draw(st.integers(1, 6)) for _ in sizes],
        "window_size": sizes,
        "window_type": "fixed" if is_fixed else "sliding",
        "disable_penalty": True,
        "strategy": "local",
    }
    if draw(st.booleans()):
        config["namespace"] = "fixed" if is_fixed else "sliding"
    return {**config, **draw(identifiers("identifier"))}


def identifiers(key: str) -> st.SearchStrategy[dict[str, Any]]:
    path = {key: "path", "path": "/a/b"}
    return st.sampled_from([{}, {}, {key: "consumer"}, {key: "ip"}, {key: "service"}, path])


requests = st.builds(
    Request,
    st.sampled_from(REQUESTED),
    st.sampled_from(["GET", "GET", "HEAD", "POST"]),
    st.sampled_from(["a.test", "a.test", "x.b.test", "other.test"]),
    st.sampled_from(["ada", "ada", *CONSUMERS, None, None]),
    st.sampled_from(["192.0.2.1", "192.0.2.2"]),
)
steps = st.lists(
    st.tuples(st.sampled_from([0, 0, 0, 0, 0, 1, 3, 30, 61, 4_000, 90_000, 3_000_000]), requests),
    min_size=10,
    max_size=40,
)


@given(st.data(), steps)
def test_a_policy_admits_what_kong_admits(
    data: st.DataObject, script: list[tuple[int, Request]]
) -> None:
    own = data.draw(routes())
    config = {
        "services": [{"name": name, "url": "http://app"} for name in ("s1", "s2")],
        "routes": own,
        "consumer_groups": [{"name": "gold"}, {"name": "silver"}],
        "consumers": [
            {"username": name, "groups": [{"name": group} for group in groups]}
            for name, groups in CONSUMERS.items()
        ],
        "plugins": data.draw(plugins([route["name"] for route in own])),
    }
    kong = Kong(config)
    with tempfile.TemporaryDirectory() as folder:
        try:
            document = imported(Path(folder), config)
        except ImportFileError as error:
            assert "no rule can be made" in str(error)
            event("nothing is limited")
            assume(False)
        policy = Imported(Path(folder), document)
        policy.groups = CONSUMERS
        now, played, wanted = START, [], []
        for wait, request in script:
            now += wait
            try:
                wanted.append(kong.admits(request, now))
            except TieError:
                event("two routes of one priority")
                continue
            event(f"admitted: {wanted[-1]}, plugins: {len(kong.chosen(request))}")
            played.append((now, request))
        waits = [0, *(now for now, _ in played)]
        found = policy.run(
            (now - max(before, START), request)
            for before, (now, request) in zip(waits, played, strict=False)
        )
        assert found == wanted, [dict(rule.values) for rule in document.rules]
