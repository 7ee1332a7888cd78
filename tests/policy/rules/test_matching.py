"""Which rules a request matches and which of them apply: the tree beside a walk over all rules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import islice, product
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_rules
from sluicegate.policy import Rule
from sluicegate.policy.rules.applying import chosen
from sluicegate.policy.rules.matching import Matcher

LITERALS = ("a", "b", "A", "é", "%", "%2", "a b", "...", "_")
#: What no pattern has, or only as a parameter, is among them too.
SENT = (*LITERALS, "", "", ".", "..", "c", "a ", "*", "{x}", "%2e%2e", "\n", "e\u0301", "..\\a")
HOSTS = ("example.com", "api.example.com", "*.example.com", "*.b.example.com", "[::1]", "*.com")
SENT_HOSTS = (
    None,
    "",
    "example.com",
    "Example.COM:8000",
    "api.example.com.",
    "a.b.example.com.:80",
    "x.a.b.example.com",
    "notexample.com",
    "example.com.evil.org",
    "[::1]:8000",
    "[::1]",
    "com",
)
METHODS = ("GET", "HEAD", "POST", "DELETE")

methods = st.lists(st.sampled_from(METHODS), max_size=2, unique=True).map("|".join)
segments = st.one_of(st.sampled_from(LITERALS), st.sampled_from(("{x}", "{y}", "{z}")))


@st.composite
def patterns(draw: st.DrawFn) -> str:
    path = draw(st.lists(segments, max_size=4, unique_by=lambda part: (part[0] == "{", part)))
    ends = draw(st.sampled_from(("", "", "/", "/*", "//*")))
    target = "/" + draw(st.sampled_from(("/", "//") if path else ("/",))).join(path) + ends
    while target.startswith("//"):
        target = target[1:]
    host = draw(st.one_of(st.none(), st.none(), st.sampled_from(HOSTS)))
    target = f"//{host}{target}" if host else draw(st.sampled_from((target, target, target, "*")))
    method = draw(methods)
    return f"{method} {target}" if method else target


@st.composite
def rules(draw: st.DrawFn) -> list[Rule]:
    found = []
    for pattern in draw(st.lists(patterns(), max_size=8)):
        group = draw(st.sampled_from((None, None, "g", "h")))
        tier = draw(st.sampled_from((None, None, "free", ("free", "pro"))))
        exempt = draw(st.sampled_from((False, False, False, True)))
        quota = None if exempt else "5/second"
        found.append(Rule(pattern, quota, group=group, tier=tier, exempt=exempt))
    return found


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str | None, str]:
    path = "/".join(draw(st.lists(st.sampled_from(SENT), max_size=6)))
    path = draw(st.sampled_from(("/", "/", "/", "", "//"))) + path
    method = draw(st.sampled_from((*METHODS, "OPTIONS", "get", "Post", "")))
    return method, draw(st.sampled_from(SENT_HOSTS)), path


@given(rules(), st.lists(requests(), max_size=20), st.sampled_from((None, "free", "pro", "x")))
def test_the_tree_and_the_walk_over_all_rules_agree(
    rules: list[Rule], requests: list[tuple[str, str | None, str]], tier: str | None
) -> None:
    matcher = Matcher(rules)
    for method, host, path in requests:
        places = matcher.match(method, host, path)
        assert places == tuple(
            place
            for place, rule in enumerate(rules)
            if naive_rules.matches(rule.match, method, host, path, exempt=rule.exempt)
        )
        for place in places:
            assert matcher.params(place, path) == naive_rules.params(rules[place].match, path)
        found = chosen(rules, places, tier)
        apply, exempt = naive_rules.walk(rules, method, host, path, tier)
        assert (list(found.places), found.exempt) == (apply, exempt)


@given(patterns(), requests())
def test_what_is_shown_of_a_pattern_matches_what_it_matches(
    pattern: str, request: tuple[str, str | None, str]
) -> None:
    shown = Rule(pattern, "5/second").match
    assert Rule(shown, "5/second").match == shown
    assert naive_rules.matches(shown, *request) == naive_rules.matches(pattern, *request)


@given(st.text(), st.one_of(st.none(), st.text()), st.text())
def test_no_text_is_too_odd(method: str, host: str | None, path: str) -> None:
    rules = [
        Rule("*", "5/second"),
        Rule("//*.example.com/{x}/*", "5/second"),
        Rule("//[::1]/", exempt=True),
    ]
    places = Matcher(rules).match(method, host, path)
    assert places[0] == 0


@pytest.mark.parametrize(
    "path",
    [
        "/login",
        "//login",
        "///login///",
        "/login/",
        "/login//",
        "login",
        "/./login",
        "/login/.",
        "/x/../login",
        "/../login",
        "/x/y/../../login/",
        "/login/x/..",
    ],
)
def test_spellings_of_a_path_that_are_limited(path: str) -> None:
    matcher = Matcher([Rule("/x", "5/second"), Rule("POST /login", "5/second")])
    assert matcher.match("POST", None, path) == (1,)
    assert matcher.match("post", None, path) == (1,)


@pytest.mark.parametrize(
    "path",
    [
        "/login ",
        "/login%20",
        "/ login",
        "/LOGIN",
        "/Login",
        "/login\x00",
        "/login\n",
        "/login;x=1",
        "/login.",
        "/login/x",
        "/%6cogin",
        "/x%2f..%2flogin",
        "/x/%2e%2e/login",
        "\\login",
        "/x\\..\\login",
        "/ｌｏｇｉｎ",
        "/login/..",
        "",
        "/",
    ],
)
def test_what_is_another_path_to_frameworks_as_well(path: str) -> None:
    matcher = Matcher([Rule("/login", "5/second")])
    assert matcher.match("POST", None, path) == ()


@pytest.mark.parametrize(
    "path",
    ["/static/../login", "/static/..", "/static/./a", "/static/a/..", "/./static", "/../static"],
)
def test_no_path_with_dots_is_exempt(path: str) -> None:
    rules = [Rule("/static/*", exempt=True), Rule("/{x}/{y}", exempt=True), Rule("*", "5/second")]
    assert Matcher(rules).match("GET", None, path) == (2,)
    assert Matcher(rules).match("GET", None, "/static/a")[0] == 0


def test_a_path_with_dots_is_limited_as_it_is_spelt_and_by_what_it_leads_to() -> None:
    rules = [Rule(match, "5/second") for match in ("/login", "/static/*", "/static/{x}/login")]
    matcher = Matcher(rules)
    assert matcher.match("GET", None, "/static/../login") == (0, 1, 2)
    assert matcher.match("GET", None, "/static/./x/../login") == (1,)
    assert matcher.params(2, "/static/../login") == {"x": ".."}
    assert matcher.params(2, "/static/./7/login") == {"x": "7"}
    assert Matcher([Rule("/{x}", "5/second")]).params(0, "/a/../b") == {"x": "b"}


def test_places_are_in_order_however_they_were_found() -> None:
    matches = ["/z"] * 7 + ["/a", "/*"]
    assert Matcher([Rule(match, "5/second") for match in matches]).match("GET", None, "/./a") == (
        7,
        8,
    )


def test_methods() -> None:
    rules = [
        Rule(match, "5/second") for match in ("GET /", "HEAD /", "POST|GET /", "/", "M-SEARCH /")
    ]
    matcher = Matcher(rules)
    assert matcher.match("GET", None, "/") == (0, 2, 3)
    assert matcher.match("HEAD", None, "/") == (0, 1, 2, 3)
    assert matcher.match("POST", None, "/") == (2, 3)
    assert matcher.match("m-search", None, "/") == (3, 4)
    assert matcher.match("DELETE", None, "/") == (3,)


def test_what_a_star_has() -> None:
    matcher = Matcher([Rule(match, "5/second") for match in ("*", "/*", "/a/*", "/a/{x}/*", "/a")])
    assert matcher.match("GET", None, "/") == (0, 1)
    assert matcher.match("GET", None, "/a") == (0, 1, 2, 4)
    assert matcher.match("GET", None, "/a/") == (0, 1, 2, 4)
    assert matcher.match("GET", None, "/a/b") == (0, 1, 2, 3)
    assert matcher.match("GET", None, "/a/b/c/d") == (0, 1, 2, 3)
    assert matcher.match("GET", None, "/ab") == (0, 1)


def test_hosts() -> None:
    matches = ("//example.com/*", "//*.example.com/*", "//*.b.example.com/*", "/x")
    matcher = Matcher([Rule(match, "5/second") for match in matches])
    assert matcher.match("GET", "EXAMPLE.com:8000", "/x") == (0, 3)
    assert matcher.match("GET", "a.example.com.", "/x") == (1, 3)
    assert matcher.match("GET", "a.b.example.com", "/x") == (1, 2, 3)
    assert matcher.match("GET", "b.example.com", "/x") == (1, 3)
    assert matcher.match("GET", "badexample.com", "/x") == (3,)
    assert matcher.match("GET", None, "/x") == (3,)
    matcher = Matcher([Rule("//[::1]/x", "5/second"), Rule("//[::2]/x", "5/second")])
    assert matcher.match("GET", "[::1]:8000", "/x") == matcher.match("GET", "[::1]", "/x") == (0,)
    assert matcher.match("GET", "[::3]:8000", "/x") == matcher.match("GET", "[", "/x") == ()


def lines_of(run: Callable[[], Any]) -> int:
    """How many lines of Python a call runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(
    "other",
    [
        "/other-{0}/x",
        "/a/{{id}}/x{0}",
        "/{{x}}/{{y}}/{0}",
        "/a/b/{0}/*",
        "M{0} /a/{{id}}",
        "//h{0}.example.com/*",
        "//*.h{0}.example.com/*",
    ],
)
def test_no_line_is_run_for_rules_that_do_not_match(other: str) -> None:
    lines = []
    for count in (10, 1_000):
        texts = ["/a/{id}", *(other.format(number) for number in range(count))]
        matcher = Matcher([Rule(text, "5/second") for text in texts])
        assert matcher.match("GET", "api.example.com", "/a/b") == (0,)
        lines.append(lines_of(lambda one=matcher: one.match("GET", "api.example.com", "/a/b")))
    assert lines[0] == lines[1]


def mixed(count: int) -> list[str]:
    """Patterns that begin in ways of their own, with any of which ``/a/a/a`` may begin."""
    ways = product(*(("a", f"{{x{place}}}") for place in range(9)))
    return [f"/{'/'.join(way)}/end-{number}" for number, way in enumerate(islice(ways, count))]


def test_nor_for_those_that_only_begin_as_the_path_does() -> None:
    lines = []
    path = "/a" * 9 + "/end"
    for count in (10, 512):
        matcher = Matcher([Rule(text, "5/second") for text in ("*", *mixed(count))])
        assert matcher.match("GET", None, path) == (0,)
        lines.append(lines_of(lambda one=matcher: one.match("GET", None, path)))
    assert lines[0] == lines[1]


def kept(step: Any) -> int:
    """How many steps a matcher keeps behind one."""
    return 1 + sum(map(kept, step.next.values()))


def test_what_is_kept_does_not_grow_with_what_is_sent() -> None:
    matcher = Matcher([Rule(text, "5/second") for text in ("/{x}/a", "GET /b/{y}", "/b/c/*")])
    for path in product(["", "a", "b", "c", "d"], repeat=4):
        matcher.match("GET", None, "/".join(path))
    before = kept(matcher._anywhere)
    for number in range(1_000):
        assert matcher.match(f"M{number}", f"h{number}", f"/{number}/{number}/{number}") == ()
        assert matcher.match(f"M{number}", f"h{number}", f"/b/c/{number}/x") == (2,)
    assert kept(matcher._anywhere) == before < 20
    assert len(matcher._starts) == 1
    ends = matcher._end_of(matcher._anywhere, ["b", "7"])
    assert ends.places("M1") == ends.places("M2") == ()
    assert len(ends._found) <= 2


def test_where_there_are_too_many_mixtures_to_keep_them_the_same_is_found() -> None:
    texts = [f"/{{x}}/b{number}" for number in range(30)] + [
        f"/a{number}/{{y}}" for number in range(30)
    ]
    matcher = Matcher([Rule(text, "5/second") for text in texts])
    matcher._room = 2_000
    for _ in range(2):
        for one, other in product(range(31), range(31)):
            expected = (*([other] if other < 30 else []), *([30 + one] if one < 30 else []))
            assert matcher.match("GET", None, f"/a{one}/b{other}") == expected
    assert 10 < kept(matcher._anywhere) < 200


def test_a_path_of_any_length_is_left_where_the_rules_end() -> None:
    matcher = Matcher([Rule("/a/*", "5/second"), Rule("/{x}/{y}", "5/second")])
    assert matcher.match("GET", "." * 50_000, "/a" * 50_000) == (0,)
    assert matcher.match("GET", None, "/a/.." * 20_000) == (0,)
