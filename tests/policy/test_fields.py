"""Which header fields an answer gets, by the limits that its request has met."""

from __future__ import annotations

from typing import Any

import http_sfv
import pytest

from sluicegate import Decision, FixedWindow
from sluicegate.headers import QuotaHeaders
from sluicegate.policy.fields import MetLimits

X = [b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"]
LISTS = [b"ratelimit-policy", b"ratelimit"]


def told(name: str, limit: int = 10, sets: Any = ("x-ratelimit", "ietf")) -> QuotaHeaders:
    return QuotaHeaders(FixedWindow(limit, 60), name, sets)


def admitted(limit: int = 10, remaining: int = 9, reset_after: float = 60.0) -> Decision:
    return Decision(True, limit, remaining, 0.0, reset_after, 1_000.0 + reset_after)


def refused(limit: int = 10, retry_after: float = 60.0) -> Decision:
    return Decision(False, limit, 0, retry_after, retry_after, 1_000.0 + retry_after)


def met(*limits: tuple[Any, ...]) -> MetLimits:
    record = MetLimits()
    for limit in limits:
        record.add(*limit)
    return record


def items(fields: list[tuple[bytes, bytes]], name: bytes) -> dict[str, dict[str, int]]:
    """The list under ``name``, parsed. It has one line, and each item is of another name."""
    (line,) = [value for field, value in fields if field == name]
    parsed = http_sfv.List()
    parsed.parse(line)
    assert len({item.value for item in parsed}) == len(parsed)
    return {item.value: dict(item.params) for item in parsed}


def test_one_limit() -> None:
    fields = met((told("free"), admitted())).fields(200, [(b"content-type", b"text/plain")])
    assert fields == [
        (b"x-ratelimit-limit", b"10"),
        (b"x-ratelimit-remaining", b"9"),
        (b"x-ratelimit-reset", b"1060"),
        (b"ratelimit-policy", b'"free";q=10;w=60'),
        (b"ratelimit", b'"free";r=9;t=60'),
    ]


def test_no_limit() -> None:
    assert met().fields(200, []) == []
    assert met((told("silent", sets=()), admitted())).fields(200, []) == []


@pytest.mark.parametrize("status", [300, 302, 304, 399])
def test_a_redirection_tells_nothing(status: int) -> None:
    assert met((told("free"), admitted())).fields(status, []) == []


@pytest.mark.parametrize("status", [101, 200, 299, 400, 404, 429, 500])
def test_all_else_tells(status: int) -> None:
    assert [name for name, _ in met((told("free"), admitted())).fields(status, [])] == X + LISTS


@pytest.mark.parametrize(
    ("decisions", "limit"),
    [
        # Admitted: the smallest share left, not the fewest; of equal ones the last to be whole.
        ([admitted(100, 50), admitted(10, 6)], b"100"),
        ([admitted(100, 70), admitted(10, 6)], b"10"),
        ([admitted(10, 0, 60), admitted(100, 0, 3600)], b"100"),
        # Refused: the longest wait, whatever is left of those that admit.
        ([admitted(100, 0), refused(10, 5)], b"10"),
        ([refused(100, 7), refused(10, 5)], b"100"),
        ([refused(100, 7), refused(10, 8)], b"10"),
    ],
)
@pytest.mark.parametrize("at_endpoint", [False, True])
def test_the_deciding_limit_speaks(decisions: Any, limit: bytes, at_endpoint: bool) -> None:
    for order in (decisions, decisions[::-1]):
        record = MetLimits()
        for each in order:
            record.add(told("limit", each.limit), each, at_endpoint)
        fields = record.fields(200, [])
        assert [name for name, _ in fields] == X + LISTS
        assert fields[0] == (X[0], limit)
        deciding = next(each for each in decisions if b"%d" % each.limit == limit)
        assert fields[1:3] == [
            (X[1], b"%d" % deciding.remaining),
            (X[2], b"%d" % deciding.reset_at),
        ]


def test_every_limit_is_told_once_those_within_first() -> None:
    fields = met(
        (told("outer", 100), admitted(100, 99)),
        (told("inner", 50), admitted(50, 40)),
        (told("router", 20), admitted(20, 19), True),
        (told("route", 10), admitted(10, 9), True),
    ).fields(200, [])
    assert items(fields, b"ratelimit-policy") == {
        "router": {"q": 20, "w": 60},
        "route": {"q": 10, "w": 60},
        "inner": {"q": 50, "w": 60},
        "outer": {"q": 100, "w": 60},
    }
    assert list(items(fields, b"ratelimit")) == ["router", "route", "inner", "outer"]
    assert items(fields, b"ratelimit")["inner"] == {"r": 40, "t": 60}
    assert fields[0] == (b"x-ratelimit-limit", b"50")


def test_names_that_are_taken_get_a_number() -> None:
    fields = met(
        (told("default", 1), admitted(1, 0)),
        (told('a "name"', 2), admitted(2, 1)),
        (told("default", 3), admitted(3, 2)),
        (told("default", 4), admitted(4, 3)),
        (told('a "name"', 5), admitted(5, 4)),
        (told("default-2", 6), admitted(6, 5)),
    ).fields(200, [])
    policies = items(fields, b"ratelimit-policy")
    # By the order in which they are asked, so that a name means the same in each answer.
    assert {name: policy["q"] for name, policy in policies.items()} == {
        "default": 1,
        'a "name"': 2,
        "default-2": 3,
        "default-3": 4,
        'a "name"-2': 5,
        "default-2-2": 6,
    }
    assert items(fields, b"ratelimit").keys() == policies.keys()


def test_a_silent_limit_leaves_the_others_theirs() -> None:
    fields = met(
        (told("outer", 100), admitted(100, 99)),
        (told("silent", 10, ()), admitted(10, 1)),
        (told("list", 20, "ietf"), admitted(20, 2)),
        (told("numbers", 30, "x-ratelimit"), admitted(30, 29)),
    ).fields(200, [])
    assert fields[0] == (b"x-ratelimit-limit", b"30")
    assert list(items(fields, b"ratelimit")) == ["list", "outer"]


@pytest.mark.parametrize("own", [b"X-RateLimit-Limit", b"x-ratelimit-remaining"])
def test_an_apps_own_numbers_stand_alone(own: bytes) -> None:
    record = met((told("free"), admitted()), (told("route"), admitted(), True))
    fields = record.fields(200, [(own, b"5000")])
    assert [name for name, _ in fields] == LISTS
    assert [name for name, _ in met((told("a"), admitted())).fields(200, [(own, b"1")])] == LISTS
    kindred = [(b"x-ratelimit-resource", b"search")]
    assert [name for name, _ in record.fields(200, kindred)] == X + LISTS


def test_an_apps_own_list_goes_on() -> None:
    own = [(b"RateLimit-Policy", b'"default";q=5000;w=3600'), (b"RateLimit", b'"default";r=7;t=9')]
    fields = met((told("default"), admitted()), (told("route"), admitted(), True)).fields(200, own)
    assert list(items(fields, b"ratelimit")) == ["route", "default-2"]
    assert [name for name, _ in fields] == X + LISTS


def test_a_refusal_that_tells_of_its_limit_itself() -> None:
    own = [(b"ratelimit", b'"free";r=0;t=9')]
    record = met((told("outer"), admitted()), (told("free"), refused()))
    assert list(items(record.fields(429, own), b"ratelimit")) == ["outer"]
    assert [name for name, _ in met((told("free"), refused())).fields(429, own)] == X
