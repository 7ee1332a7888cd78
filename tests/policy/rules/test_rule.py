"""A rule by itself: what it keeps, what it is called, and what is said of one that is wrong."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluicegate import Quota
from sluicegate.policy import Rule
from sluicegate.policy.rules.arguments import checked_arguments
from sluicegate.policy.rules.sources import Source
from sluicegate.policy.rules.together import DEFAULTS


def units(status: int) -> int:
    return status // 100


async def later(status: int) -> int:
    return status


async def app(*_: object) -> None:
    """Answers nothing."""


def test_what_a_rule_has_that_is_given_little() -> None:
    rule = Rule("POST  /login/", "5/minute; 20/hour")
    assert (rule.match, rule.name, rule.named) == ("POST /login", "POST /login", False)
    assert rule.quotas == (Quota("5/minute"), Quota("20/hour"))
    assert rule.limit_names == ("POST /login/minute", "POST /login/hour")
    assert (rule.by, rule.sources, rule.tier) == (("client",), (Source("client"),), ())
    usual = {**DEFAULTS, "lease_seconds": 30.0}
    for field in DEFAULTS.keys() - {"match", "quota", "name", "by", "tier"}:
        assert getattr(rule, field) == usual[field]


def test_what_a_rule_keeps_of_what_it_is_given() -> None:
    rule = Rule(
        "/a/{id}",
        Quota("40 tokens/minute"),
        by=["org", "header:X-Key", "path:id", "client"],
        tier=["free", "pro", "free"],
        cost={"tokens": 3},
        counts=units,
        headers="ietf",
        refusal=app,
        name="a",
    )
    assert rule.by == ("org", "header:x-key", "path:id", "client")
    assert rule.sources[:3] == (
        Source("key", "org"),
        Source("header", "x-key"),
        Source("path", "id"),
    )
    assert (rule.tier, rule.headers, rule.cost) == (("free", "pro"), ("ietf",), {"tokens": 3})
    assert (rule.name, rule.named, rule.limit_names) == ("a", True, ("a/tokens/minute",))


def test_its_arguments_are_explained_and_as_usual() -> None:
    parameters = inspect.signature(Rule).parameters
    assert [*parameters] == [*DEFAULTS]
    text = inspect.getdoc(Rule)
    assert text is not None
    for field, parameter in parameters.items():
        assert f"\n    {field}: " in text
        if field != "match":
            assert parameter.default == DEFAULTS[field]


@pytest.mark.parametrize(
    ("match", "by", "name"),
    [
        ("POST /login", "address", "POST /login by address"),
        ("/a/{id}", ("client", "path:id"), "/a/{id} by client+path:id"),
        ("*", ["client"], "*"),
        ("//api.example.com/*", "header:X-Key", "//api.example.com/* by header:x-key"),
        ("/" + "a" * 45, "client", "/" + "a" * 45),
        ("/" + "a" * 46, "client", "/" + "a" * 36 + "~ee261728"),
        ("/é/x", "client", "//x~00481c3a"),
    ],
)
def test_what_it_is_called_unless_it_has_a_name(match: str, by: Any, name: str) -> None:
    rule = Rule(match, "5/minute", by=by)
    assert rule.name == name
    assert len(name) <= 46


def test_names_of_any_length_differ() -> None:
    texts = [f"/{'a' * 50}{end}" for end in "bcdé日"] + ["/é", "/è", "/éa", "/aé"]
    assert len({Rule(text, "5/minute").name for text in texts}) == len(texts)
    assert Rule(texts[0], "5/minute").name == Rule(texts[0] + "/", "9/hour").name
    long = Rule("*", "5/month in America/Argentina/ComodRivadavia", name="n" * 46).limit_names[0]
    assert len(long) == 64
    assert long.isascii()
    other = Rule("*", "5/month in America/Argentina/Buenos_Aires", name="n" * 46).limit_names[0]
    assert long != other


def test_it_cannot_be_changed() -> None:
    rule = Rule("*", "5/minute")
    with pytest.raises(AttributeError, match="make another one, got match='/'"):
        rule.match = "/"
    with pytest.raises(AttributeError, match="make another one, got del name"):
        del rule.name
    assert copy.copy(rule) is copy.deepcopy(rule) is rule


@pytest.mark.parametrize(
    ("rule", "shown"),
    [
        (Rule("*", "5/minute"), "Rule('*', '5/minute')"),
        (Rule("GET /x/", exempt=True, tier="a"), "Rule('GET /x', tier='a', exempt=True)"),
        (
            Rule("/{id}", "5/minute; 9/hour", by=("all",), cost=2, name="x", shadow=True),
            "Rule('/{id}', '5/minute; 9/hour', by='all', cost=2, name='x', shadow=True)",
        ),
        (
            Rule("*", "5 concurrent", by=["client", "org"], tier=("a", "b"), lease_seconds=9),
            "Rule('*', '5 concurrent', by=('client', 'org'), tier=('a', 'b'), lease_seconds=9.0)",
        ),
        (
            Rule("*", "10/second", delay=0.5, undelayed=2),
            "Rule('*', '10/second burst 6', delay=0.5, undelayed=2)",
        ),
        (
            Rule("*", "5/minute", store="redis://:secret@localhost:6379/0", on_error="open"),
            "Rule('*', '5/minute', on_error='open', store=...)",
        ),
    ],
)
def test_how_it_is_shown_and_pickled(rule: Rule, shown: str) -> None:
    assert repr(rule) == shown
    again = pickle.loads(pickle.dumps(rule))
    for field in set(Rule.__slots__) - {"pattern"}:
        assert getattr(again, field) == getattr(rule, field)
    assert str(again.pattern) == rule.match


@pytest.mark.parametrize(
    ("quota", "delay", "bucket"),
    [
        ("10/second", 0.5, "10/second burst 6"),
        ("100/second", 0.29, "100/second burst 30"),
        ("1/second", 1, "1/second burst 2"),
        ("30/minute", 10, "30/minute burst 6"),
        ("10/second burst 3", 5, "10/second burst 3"),
        ("10/second burst 300", 5, "10/second burst 51"),
        ("3 tokens/second", 0.7, "3 tokens/second burst 3"),
        ("4294967295/second", 3600, "4294967295/second burst 4294967295"),
    ],
)
def test_the_bucket_of_a_delay_holds_what_is_served_in_that_time(
    quota: str, delay: float, bucket: str
) -> None:
    assert Rule("*", quota, delay=delay).quotas == (Quota(bucket),)


WRONG: list[tuple[dict[str, Any], str, type[Exception]]] = [
    ({"match": None}, "match must be a pattern such as", TypeError),
    ({"match": "login"}, "match must be a pattern such as", ValueError),
    ({"quota": None}, "quota must be given, as Rule('POST /login', '5/minute')", ValueError),
    ({"quota": "5/fortnight"}, "quota '5/fortnight': 'fortnight' is no period", ValueError),
    ({"quota": ""}, "quota '': it is empty", ValueError),
    (
        {"quota": 5},
        "quota must be a quota or its text, as '5/second; 10000/day', got int 5",
        TypeError,
    ),
    ({"quota": (5, 1)}, "quota must be a quota or its text", TypeError),
    ({"quota": "unlimited"}, "write exempt=True instead of a quota", ValueError),
    (
        {"quota": "5/s; 6/second"},
        "windows or units that differ, got '5/second' and '6/",
        ValueError,
    ),
    ({"by": "heder:x"}, "by must be 'client', 'address', ", ValueError),
    ({"by": "header:"}, "by must be 'client', 'address', ", ValueError),
    ({"by": ""}, "by must be 'client', 'address', ", ValueError),
    ({"by": None}, "by must be 'client', 'address', ", TypeError),
    ({"by": {"client"}}, "as a list, got set {'client'}", TypeError),
    ({"by": ["client", 5]}, "got int 5", TypeError),
    ({"by": []}, "got none: for one count of all write by='all'", ValueError),
    ({"by": ["all", "client"]}, "by must have 'all' alone", ValueError),
    ({"by": ["client", "client"]}, "by must not have 'client' twice", ValueError),
    ({"by": "header:x y"}, "by='header:x y' must be the name of an HTTP header", ValueError),
    ({"by": "path:id"}, "by='path:id' needs {id} in match, and '/x' has no parameter", ValueError),
    ({"match": "/{user}", "by": "path:id"}, "and '/{user}' has {user}", ValueError),
    ({"tier": ()}, "got none: for all tiers leave tier= out", ValueError),
    ({"tier": 5}, "tier must be the name of a tier, or several, as ['free', 'pr", TypeError),
    ({"tier": ["free", None]}, "tier must be the name of a tier", TypeError),
    ({"cost": "1"}, "cost must be an int, one by unit, as {'tokens': 900}, or a f", TypeError),
    ({"cost": True}, "cost must be an int", TypeError),
    ({"cost": -1}, "cost must be an int from 0 to 4,294,967,295, got -1", ValueError),
    ({"cost": 6}, "cost must be at most 5, which is all that '5/second' ever adm", ValueError),
    ({"cost": 4, "quota": "5/s burst 3"}, "cost must be at most 3, which is all", ValueError),
    ({"cost": 9, "quota": "5/s", "delay": 1}, "cost must be at most 6, which is", ValueError),
    ({"cost": {}}, "cost must be by unit, as {'tokens': 900}, got none", ValueError),
    ({"cost": {5: 1}}, "cost must be by unit, as {'tokens': 900}, got 5", TypeError),
    ({"cost": {"requests": -1}}, "cost['requests'] must be an int from 0 to", ValueError),
    ({"cost": {"tokens": 1}}, "cost must be of a quota of requests, got 'tokens'", ValueError),
    (
        {"cost": 2, "quota": "5/s; 9 tokens/s"},
        "cost must name units beside a quota of requests and tokens, as {'requests': 2, 'tokens': 2}",
        ValueError,
    ),
    ({"counts": "none"}, "counts must be 'all', 'failures', 'successes' or a f", ValueError),
    ({"counts": None}, "counts must be 'all', 'failures', 'successes' or a f", TypeError),
    ({"counts": later}, "counts must be a plain function", TypeError),
    ({"counts": "failures", "quota": "5 concurrent"}, "counts= means nothing for perm", ValueError),
    ({"cost": 2, "quota": "5 concurrent"}, "cost= means nothing for permits", ValueError),
    ({"cost": len, "quota": "5 concurrent"}, "cost= means nothing for permits", ValueError),
    (
        {"cost": 101, "quota": "5 concurrent; 100/m"},
        "cost must be at most 100, which is",
        ValueError,
    ),
    ({"group": ""}, "group must be 1 to 64 printable ASCII characters", ValueError),
    ({"group": 5}, "group must be a str", TypeError),
    ({"name": "x" * 47}, "name must be 1 to 46 printable ASCII characters, such as", ValueError),
    ({"name": "é"}, "name must be 1 to 46 printable ASCII characters, such as", ValueError),
    ({"name": ""}, "name must be 1 to 46 printable ASCII characters, such as", ValueError),
    ({"name": 5}, "name must be a str", TypeError),
    ({"algorithm": "gcra"}, "algorithm must be one of 'sliding_window', ", ValueError),
    ({"algorithm": 5}, "algorithm must be one of 'sliding_window', ", TypeError),
    (
        {"algorithm": "fixed_window", "quota": "5/s burst 9"},
        "quota '5/second burst 9': only a token bucket has a burst",
        ValueError,
    ),
    ({"algorithm": "fixed_window", "quota": "5 concurrent"}, "permits are held", ValueError),
    ({"shadow": 1}, "shadow must be True or False, got int 1", TypeError),
    ({"exempt": "yes"}, "exempt must be True or False, got str 'yes'", TypeError),
    ({"on_error": "opne"}, "on_error must be 'closed', 'raise', 'local', 'open' or N", ValueError),
    ({"on_error": 5}, "on_error must be 'closed', 'raise', 'local', 'open' or N", TypeError),
    ({"store": "rdis://localhost"}, "store must be a URL such as redis://", ValueError),
    ({"store": 5}, "store must be a URL such as redis://", TypeError),
    ({"delay": 0}, "delay must be a number of seconds from 0.000001 to 3,600, got 0", ValueError),
    ({"delay": float("nan")}, "delay must be a number of seconds from", ValueError),
    ({"delay": "1s"}, "delay must be an int or a float", TypeError),
    ({"delay": 0.1}, "delay= needs at least 0.2 seconds at '5/second', until", ValueError),
    ({"delay": 1, "quota": "5/s burst 1"}, "delay= needs a burst above 1, got", ValueError),
    ({"delay": 1, "quota": "5/s; 9/m"}, "delay= needs one quota only, got 2", ValueError),
    ({"delay": 1, "quota": "5 concurrent"}, "delay= needs a rate, such as '10/", ValueError),
    ({"delay": 1, "quota": "5/day in UTC"}, "delay= needs a rate, such as '10/", ValueError),
    ({"delay": 1, "algorithm": "fixed_window"}, "delay= needs a token bucket", ValueError),
    ({"undelayed": 1}, "undelayed= means nothing without delay=", ValueError),
    ({"undelayed": 1.5, "delay": 1}, "undelayed must be an int", TypeError),
    ({"undelayed": 6, "delay": 1}, "undelayed must be an int from 0 to 5, as the bu", ValueError),
    ({"refusal": "xml"}, "refusal must be 'json', 'problem' or an app that answers", ValueError),
    ({"refusal": 5}, "refusal must be 'json', 'problem' or an app that answers", TypeError),
    ({"headers": "x"}, "headers must hold some of ('x-ratelimit', 'ietf'), got 'x'", ValueError),
    ({"headers": 5}, "headers must hold some of", TypeError),
    ({"exempt": True}, "quota= means nothing beside exempt=True: leave quota= out", ValueError),
    ({"lease_seconds": 60}, "lease_seconds= means nothing but for permits", ValueError),
    ({"lease_seconds": 0, "quota": "5 concurrent"}, "lease_seconds must be a num", ValueError),
]


@pytest.mark.parametrize(("wrong", "text", "kind"), WRONG)
def test_what_is_wrong_names_the_argument_and_what_is_right(
    wrong: dict[str, Any], text: str, kind: type[Exception]
) -> None:
    with pytest.raises((TypeError, ValueError)) as raised:
        Rule(**{"match": "/x", "quota": "5/second", **wrong})
    assert text in str(raised.value)
    assert raised.type is kind


@pytest.mark.parametrize(
    "field", sorted(DEFAULTS.keys() - {"match", "tier", "group", "name", "exempt"})
)
def test_nothing_is_given_beside_exempt_that_would_mean_nothing(field: str) -> None:
    given: dict[str, Any] = {
        "quota": "5/second",
        "by": "address",
        "cost": 2,
        "counts": "failures",
        "algorithm": "fixed_window",
        "shadow": True,
        "on_error": "open",
        "store": "redis://localhost:6379/0",
        "delay": 1,
        "undelayed": 1,
        "refusal": "json",
        "headers": (),
        "lease_seconds": 9,
    }
    with pytest.raises(ValueError, match=f"^{field}= means nothing beside exempt=True"):
        Rule("/x", exempt=True, **{field: given[field]})
    assert Rule("/x", exempt=True, tier="a", group="g", name="n").quotas == ()


def test_no_secret_is_in_a_message() -> None:
    for store in ("rdis://:pa55@localhost", "redis://:pa55@localhost:port/0"):
        with pytest.raises(ValueError, match="store must") as raised:
            Rule("/x", "5/second", store=store)
        assert "pa55" not in str(raised.value)


def test_all_that_is_wrong_can_be_had_at_once_one_of_each_argument() -> None:
    given = {"match": "x", "quota": "5/fortnight", "by": "a:b", "shadow": 1, "undelayed": 3}
    checked, faults = checked_arguments(given)
    assert [field for field, _ in faults] == ["match", "quota", "by", "shadow", "undelayed"]
    assert "match" not in checked
    _, faults = checked_arguments({"match": "/{a}", "quota": "5/s", "by": "path:b", "cost": 9})
    assert [field for field, _ in faults] == ["by", "cost"]


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=9),
        st.binary(max_size=9),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*DEFAULTS]), anything, max_size=3))
def test_whatever_a_file_may_hold_is_a_rule_or_an_error(given: dict[str, Any]) -> None:
    try:
        Rule(**{"match": "/x/{id}", "quota": "5/second", **given})
    except (TypeError, ValueError) as error:
        assert any(field in str(error) for field in DEFAULTS)


def test_a_cost_is_of_the_rates_beside_permits() -> None:
    assert Rule("/", "5 concurrent; 100/minute", cost=6).cost == 6
