"""Rules beside each other: what is wrong, at which place, and all of it at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import naive_rules
from sluicegate.policy import Rule
from sluicegate.policy.rules.checking import Problem, check_rules, problems_of, warnings_of


def problems(*rules: Rule, **known: Any) -> list[Problem]:
    return [*problems_of(rules, **known)]


def only(*rules: Rule, **known: Any) -> Problem:
    (problem,) = problems(*rules, **known)
    return problem


def test_rules_that_are_right() -> None:
    rules = [
        Rule("/health", exempt=True),
        Rule("POST /login", "5/minute", by="address"),
        Rule("POST /login", "50/minute", by=("org", "header:x-key"), tier="free"),
        Rule("/a/{id}", "5/minute", by="path:id", group="g"),
        Rule("/a/*", "5/minute", by="tier", group="g"),
        Rule("*", "100/minute", by="principal", group="g"),
        Rule("*", "100/minute", by="all"),
    ]
    assert problems(*rules, keys=["org"], tiers=["free", "pro"]) == []
    assert problems(*rules, keys={"org": len}, tiers=None) == []
    check_rules(rules, keys=["org"], tiers=["free"])


def test_names_must_differ() -> None:
    first, second = Rule("/a", "5/minute", tier="free"), Rule("/a/", "9/second", tier="pro")
    found = only(Rule("*", "9/minute"), first, second, tiers=None)
    assert found[:2] == (2, "name")
    assert str(found) == (
        "rules[2]: names must differ, got '/a' for rules[1] ('/a') and rules[2] ('/a'): give one of "
        "them another, as name='other'"
    )
    # What they are called with their windows is a name as well.
    tokens = Rule("/a", "5 tokens/minute", name="a"), Rule("/b", "5/minute", name="a/tokens")
    assert "'a/tokens/minute'" in only(*tokens).message
    # What is exempt is counted nowhere, and a name of its own is told from others by its window.
    assert problems(Rule("GET /a", "5/minute", name="/a"), Rule("/a", exempt=True)) == []


def test_tiers_that_no_client_has() -> None:
    rule = Rule("*", "5/minute", tier=("fre", "pro"))
    found = only(rule, tiers=["free", "pro"])
    assert found[:2] == (0, "tier")
    assert found.message == (
        "tier must be of the policy's, 'free', 'pro', got 'fre': did you mean 'free'?"
    )
    assert only(Rule("*", "5/minute", tier="x"), tiers=["free"]).message.endswith("got 'x'")
    assert "has no tiers=" in problems(rule)[0].message
    assert len(problems(rule)) == 2
    assert problems(rule, tiers=None) == []


def test_what_nobody_gives_to_count_by() -> None:
    found = only(Rule("*", "5/minute", by=("client", "Organisation")), keys=["organization"])
    assert found[:2] == (0, "by")
    assert "by='Organisation' is given by nobody: add keys={'Organisation': " in found.message
    assert found.message.endswith(": did you mean 'organization'?")
    assert only(Rule("*", "5/minute", by="adress")).message.endswith("did you mean 'address'?")
    tier = Rule("*", "5/minute", by="tier")
    assert "has no tiers=" in only(tier).message
    assert problems(tier, tiers=None) == problems(tier, tiers=["free"]) == []
    principal = Rule("*", "5/minute", by="principal")
    assert "add verify=" in only(principal, has_principals=False).message
    assert problems(principal) == []


def test_a_rule_behind_one_of_its_group_that_always_matches() -> None:
    wide = Rule("/a/*", "5/minute", group="g")
    narrow = Rule("POST //example.com/a/{id}", "5/minute", group="g")
    found = only(Rule("*", "9/minute"), wide, Rule("/b", "9/minute", group="g"), narrow)
    assert found[:2] == (3, "match")
    assert str(found) == (
        "rules[3]: 'POST //example.com/a/{id}' can never apply: rules[1] ('/a/*') of its group 'g' "
        "matches all that it does, and comes first: put it before that, or give it another group"
    )
    first = Rule("*", "5/minute", group="g")
    assert "rules[0] ('*')" in problems(first, wide, narrow)[1].message
    assert problems(narrow, wide) == []
    assert problems(wide, Rule("/a/b", "5/minute")) == []
    assert problems(wide, Rule("/a/b", "5/minute", group="h")) == []
    assert problems(Rule("GET /a", "5/minute", group="g"), Rule("/a", "6/minute", group="g")) == []


def test_the_tier_counts_for_what_covers_what() -> None:
    def of(first: Any, later: Any) -> int:
        one = Rule("*", "5/minute", tier=first, group="g")
        return len(problems(one, Rule("/x", "5/minute", tier=later, group="g"), tiers=None))

    assert (
        of(None, None) == of(None, "free") == of("free", "free") == of(["free", "pro"], "pro") == 1
    )
    assert of("free", None) == of("free", "pro") == of("free", ["free", "pro"]) == 0


def test_a_rule_behind_an_exempt_one_that_covers_it() -> None:
    exempt, rule = Rule("/static/*", exempt=True), Rule("/static/{x}", "5/minute")
    found = only(exempt, Rule("*", "5/minute"), rule)
    assert found[:2] == (2, "match")
    assert "rules[0] ('/static/*') exempts all that it matches" in found.message
    assert problems(rule, exempt) == []
    assert only(exempt, Rule("/static/x", exempt=True)).place == 1
    assert problems(Rule("/static/*", exempt=True, tier="free"), rule, tiers=None) == []
    # One of a group may have been passed over for an earlier one of it.
    first = Rule("/static/a", "5/minute", group="g")
    grouped = Rule("/static/*", exempt=True, group="g")
    assert problems(first, grouped, rule) == []
    assert only(grouped, rule).place == 1
    assert only(first, grouped, Rule("/static/b", "5/minute", group="g")).place == 2


TEXTS = (
    "*",
    "/a/*",
    "/{x}/*",
    "/a",
    "/{x}",
    "/",
    "/a/b",
    "/a/{x}",
    "GET /a",
    "GET|POST *",
    "POST /{x}",
)
PATHS = ("/", "/a", "/c", "/a/b", "/a/c", "/c/b", "/c/c", "/a/b/c", "/c/c/c")


@st.composite
def few_rules(draw: st.DrawFn) -> list[Rule]:
    found = []
    for place in range(draw(st.integers(2, 4))):
        exempt = draw(st.sampled_from((False, False, True)))
        found.append(
            Rule(
                draw(st.sampled_from(TEXTS)),
                None if exempt else "5/minute",
                name=f"{place}",
                tier=draw(st.sampled_from((None, None, "free", ("free", "pro")))),
                group=draw(st.sampled_from((None, "g", "g", "h"))),
                exempt=exempt,
            )
        )
    return found


@given(few_rules())
def test_what_can_never_apply_applies_to_no_request_and_of_two_rules_all_is_found(
    rules: list[Rule],
) -> None:
    said = {found.place for found in problems_of(rules, tiers=None)}
    reached: set[int] = set()
    for path in PATHS:
        for method in ("GET", "POST", "PUT"):
            for tier in ("free", "pro", "other"):
                apply, exempt = naive_rules.walk(rules, method, None, path, tier)
                reached |= {*apply, *([] if exempt is None else [exempt])}
    assert not said & reached
    if len(rules) == 2:
        assert said | reached == {0, 1}


def test_all_problems_come_at_once_and_each_says_its_place() -> None:
    rules = [
        Rule("*", "5/minute", group="g", by="org"),
        Rule("/x", "5/minute", group="g", tier="gold"),
        Rule("/x", "6/minute"),
    ]
    found = problems(*rules, tiers=["free"])
    assert {(each.place, each.field) for each in found} == {
        (0, "by"),
        (1, "tier"),
        (1, "match"),
        (2, "name"),
    }
    with pytest.raises(ValueError, match="names must differ") as raised:
        check_rules(rules, tiers=["free"])
    assert str(raised.value).splitlines() == [str(each) for each in found]


def test_a_longer_window_that_allows_less_is_a_warning() -> None:
    rules = [
        Rule("/a", "10/second; 5/minute"),
        Rule("/b", "5/second; 10/minute"),
        Rule("/c", "10/second; 5 tokens/minute"),
        Rule("/d", "10/second; 5/minute", shadow=True),
        Rule("/e", "10/second; 5/minute burst 20"),
        Rule("/f", "10/second burst 4; 5/minute"),
        Rule("/g", "9 concurrent; 10/second; 7/minute; 5/hour"),
        Rule("/h", exempt=True),
    ]
    found = [*warnings_of(rules)]
    assert [(each.place, each.field) for each in found] == [
        (0, "quota"),
        (6, "quota"),
        (6, "quota"),
    ]
    assert found[0].message == "'10/second' can never refuse: '5/minute' allows less, for longer"
    assert problems(*rules) == []
