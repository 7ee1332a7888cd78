"""Whether a pattern covers another: beside all requests of a small world."""

from __future__ import annotations

from itertools import product

import naive_rules
from sluicegate.policy.rules.covering import covers
from sluicegate.policy.rules.pattern import pattern_of

TEMPLATES = [
    "/" + "/".join((*segments, *rest))
    for length in range(3)
    for segments in product(("a", "{}"), repeat=length)
    for rest in ((), ("*",))
]
PATTERNS = [
    f"{method}{host}{template}".replace("{}", "{x}", 1).replace("{}", "{y}")
    for template in TEMPLATES
    for method in ("", "GET ", "POST ", "HEAD ", "GET|POST ")
    for host in ("", "//x", "//*.x", "//y.x", "//*.y.x")
]
# With a segment, a method and hosts that no pattern names, and paths longer than any.
PATHS = ["/" + "/".join(path) for length in range(4) for path in product("ac", repeat=length)]
REQUESTS = [
    (method, host, path)
    for method in ("GET", "HEAD", "POST", "PUT")
    for host in (None, "x", "y.x", "z.x", "z.y.x", "y")
    for path in PATHS
]


def test_it_is_said_exactly_of_those_that_match_all_that_another_does() -> None:
    matched = [
        {number for number, request in enumerate(REQUESTS) if naive_rules.matches(text, *request)}
        for text in PATTERNS
    ]
    patterns = [pattern_of(text) for text in PATTERNS]
    found = 0
    for wide, all_of_wide in zip(patterns, matched, strict=True):
        for narrow, all_of_narrow in zip(patterns, matched, strict=True):
            assert covers(wide, narrow) == (all_of_narrow <= all_of_wide), (wide, narrow)
            found += covers(wide, narrow)
    assert len(patterns) == 350
    assert found > len(patterns)


def test_what_one_would_look_for() -> None:
    for wide, narrow in [
        ("*", "POST /login"),
        ("/api/*", "/api"),
        ("/api/*", "GET /api/{id}/items/*"),
        ("/users/{id}", "/users/me"),
        ("/users/{id}", "/users/{name}"),
        ("GET /", "HEAD /"),
        ("//*.example.com/*", "//a.b.example.com/x"),
        ("/x", "//example.com/x"),
    ]:
        assert covers(pattern_of(wide), pattern_of(narrow))
        assert not covers(pattern_of(narrow), pattern_of(wide)) or "name" in narrow
