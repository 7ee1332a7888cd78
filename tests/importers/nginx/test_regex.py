"""Regular expressions as patterns: the same paths match."""

from __future__ import annotations

import itertools
import re

import pytest

from nginx_search import matches
from sluicegate.importers.nginx.regex import paths_of

SAID = {
    "": ["*"],
    "/": ["*"],
    "^/.*$": ["*"],
    "^/(.*)": ["*"],
    "^/a/": ["/a/*"],
    "^/a/.*": ["/a/*"],
    "^/a/(.*)$": ["/a/*"],
    "^/a$": ["/a"],
    "^/a/?$": ["/a"],
    "^/a(/|$)": ["/a/*"],
    "^/a(?:/.*)?$": ["/a/*"],
    "^/(a|v1)/": ["/a/*", "/v1/*"],
    "^/(?:a|v1)/b$": ["/a/b", "/v1/b"],
    "^/v[12]/a": ["/v1/a/*", "/v2/a/*"],
    "^/a/[^/]+$": ["/a/{part2}"],
    "^/a/([^/]+)/b$": ["/a/{part2}/b"],
    "^/[^/]+/b/": ["/{part1}/b/*"],
    "^/a/[^/]+": ["/a/{part2}/*"],
    "^/b\\.c$": ["/b.c"],
    "^/b\\.(c|d)$": ["/b.c", "/b.d"],
    "^/a-b/c_d": ["/a-b/c_d/*"],
}
NOT_SAID = [
    "\\.php$", "^/a.b$", "^/users/\\d+$", "^/a*", "^/(a|b)+/", "^/a/[^/]*$", "^/[a-z]/", "a",
    "^/a/x[^/]+$", "^/a{2}$", "^/a\\d", "^a/", "^/(a", "^/a\\", "^/(a|)/", "^/a[^b]", "^/a|^/b", "^/a$|b",
    "^/(?!a)", "^/%41$", "^/a\\{b$", "^/.+$", "^/" + "(a|b|c|d|e)" * 4,
]  # fmt: skip
WORDS = ["a", "b", "v1", "v2", "b.c", "b.d", "x", "c_d", "a-b", "bxc"]
PATHS = [
    "/" + "/".join(words) for count in range(4) for words in itertools.product(WORDS, repeat=count)
]


def texts(source: str, ignores_case: bool = False) -> list[str] | None:
    paths = paths_of(source, ignores_case=ignores_case)
    return None if paths is None else ["*" if p.text == "/*" else p.text for p, _ in paths]


@pytest.mark.parametrize("source", SAID)
def test_a_pattern_matches_the_paths_of_its_expression(source: str) -> None:
    patterns = texts(source)
    assert patterns == SAID[source]
    told_apart = 0
    for path in PATHS:
        wanted = bool(re.search(source, path))
        if wanted != bool(re.search(source, f"{path}/")):
            continue  # a pattern does not tell a slash at the end
        told_apart += 1
        # A prefix that ends within a segment has longer names as well, which is told of.
        is_longer = source in ("^/v[12]/a", "^/a-b/c_d") and "/a-b" in path
        assert is_longer or any(matches(p, "", path) for p in patterns) == wanted, path
    assert told_apart > len(PATHS) / 2


@pytest.mark.parametrize("source", NOT_SAID)
def test_what_no_pattern_can_say(source: str) -> None:
    assert texts(source) is None


def test_letters_without_case_are_none_but_other_paths_are() -> None:
    assert texts("^/a/", ignores_case=True) is None
    assert texts("^/1/[^/]+$", ignores_case=True) == ["/1/{part2}"]


@pytest.mark.parametrize(
    ("source", "is_cut"), [("^/a", True), ("^/a/", False), ("^/a/[^/]+", False), ("^/a$", False)]
)
def test_whether_longer_names_match_is_said(source: str, is_cut: bool) -> None:
    found = paths_of(source, ignores_case=False)
    assert found is not None
    assert [cut for _, cut in found] == [is_cut]
