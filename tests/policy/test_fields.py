"""Which header fields an answer gets, by the limits that its request has met."""

from __future__ import annotations

from typing import Any

import http_sfv
import pytest

from sluicegate import Decision, FixedWindow
from sluicegate.policy.fields import answer_fields
from sluicegate.policy.tiers.tier import Tier
from sluicegate.policy.verdict import Verdict

X = [b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset"]
LISTS = [b"ratelimit-policy", b"ratelimit"]


def told(name: str, limit: int = 10, sets: Any = ("x-ratelimit", "ietf"), **more: bool) -> Tier:
    return Tier(name, FixedWindow(limit, 60), sets, 503, **more)


def admitted(limit: int = 10, remaining: int = 9, reset_after: float = 60.0) -> Decision:
    return Decision(True, limit, remaining, 0.0, reset_after, 1_000.0 + reset_after)


def refused(limit: int = 10, retry_after: float = 60.0) -> Decision:
    return Decision(False, limit, 0, retry_after, retry_after, 1_000.0 + retry_after)


def fields_of(
    *limits: tuple[Tier, Decision], around: bool = False, status: int = 200, own: Any = ()
) -> list[tuple[bytes, bytes]]:
    verdicts = [Verdict() for _ in limits]
    for verdict, (tier, decision) in zip(verdicts, limits, strict=True):
        verdict.judge(tier, "key", 1, decision)
    return answer_fields(verdicts, verdicts[:1] if around else (), status, own)


def items(fields: list[tuple[bytes, bytes]], name: bytes) -> dict[str, dict[str, int]]:
    """The list under ``name``, parsed. It has one line, and each item is of another name."""
    (line,) = [value for field, value in fields if field == name]
    parsed = http_sfv.List()
    parsed.parse(line)
    assert len({item.value for item in parsed}) == len(parsed)
    return {item.value: dict(item.params) for item in parsed}


def test_one_limit() -> None:
    fields = fields_of((told("free"), admitted()), own=[(b"content-type", b"text/plain")])
    assert fields == [
        (b"x-ratelimit-limit", b"10"),
        (b"x-ratelimit-remaining", b"9"),
        (b"x-ratelimit-reset", b"1060"),
        (b"ratelimit-policy", b'"free";q=10;w=60'),
        (b"ratelimit", b'"free";r=9;t=60'),
    ]


def test_no_limit() -> None:
    assert fields_of() == []
    assert fields_of((told("silent", sets=()), admitted())) == []
    assert fields_of((told("shadow", shadow=True), admitted())) == []


@pytest.mark.parametrize("status", [300, 302, 304, 399])
def test_a_redirection_tells_nothing(status: int) -> None:
    assert fields_of((told("free"), admitted()), status=status) == []


@pytest.mark.parametrize("status", [101, 200, 299, 400, 404, 429, 500])
def test_all_else_tells(status: int) -> None:
    fields = fields_of((told("free"), admitted()), status=status)
    assert [name for name, _ in fields] == X + LISTS


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
def test_the_deciding_limit_speaks(decisions: Any, limit: bytes) -> None:
    for order in (decisions, decisions[::-1]):
        fields = fields_of(*((told("limit", each.limit), each) for each in order))
        assert [name for name, _ in fields] == X + LISTS
        assert fields[0] == (X[0], limit)
        deciding = next(each for each in decisions if b"%d" % each.limit == limit)
        assert fields[1:3] == [
            (X[1], b"%d" % deciding.remaining),
            (X[2], b"%d" % deciding.reset_at),
        ]


def test_every_limit_is_told_once_and_the_one_around_all_is_last() -> None:
    fields = fields_of(
        (told("outer", 100), admitted(100, 99)),
        (told("inner", 50), admitted(50, 40)),
        (told("router", 20), admitted(20, 19)),
        (told("route", 10), admitted(10, 9)),
        around=True,
    )
    assert items(fields, b"ratelimit-policy") == {
        "router": {"q": 20, "w": 60},
        "route": {"q": 10, "w": 60},
        "inner": {"q": 50, "w": 60},
        "outer": {"q": 100, "w": 60},
    }
    assert list(items(fields, b"ratelimit")) == ["inner", "router", "route", "outer"]
    assert items(fields, b"ratelimit")["inner"] == {"r": 40, "t": 60}
    assert fields[0] == (b"x-ratelimit-limit", b"50")


def test_names_that_are_taken_get_a_number() -> None:
    fields = fields_of(
        (told("default", 1), admitted(1, 0)),
        (told('a "name"', 2), admitted(2, 1)),
        (told("default", 3), admitted(3, 2)),
        (told("default", 4), admitted(4, 3)),
        (told('a "name"', 5), admitted(5, 4)),
        (told("default-2", 6), admitted(6, 5)),
    )
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
    fields = fields_of(
        (told("outer", 100), admitted(100, 99)),
        (told("silent", 10, ()), admitted(10, 1)),
        (told("list", 20, "ietf"), admitted(20, 2)),
        (told("numbers", 30, "x-ratelimit"), admitted(30, 29)),
    )
    assert fields[0] == (b"x-ratelimit-limit", b"30")
    assert list(items(fields, b"ratelimit")) == ["outer", "list"]


@pytest.mark.parametrize("own", [b"X-RateLimit-Limit", b"x-ratelimit-remaining"])
def test_an_apps_own_numbers_stand_alone(own: bytes) -> None:
    alone = (told("free"), admitted())
    both = (alone, (told("route"), admitted()))
    for limits in (both, [alone]):
        assert [name for name, _ in fields_of(*limits, own=[(own, b"5000")])] == LISTS
        kindred = fields_of(*limits, own=[(b"x-ratelimit-resource", b"search")])
        assert [name for name, _ in kindred] == X + LISTS


def test_an_apps_own_list_goes_on() -> None:
    own = [(b"RateLimit-Policy", b'"default";q=5000;w=3600'), (b"RateLimit", b'"default";r=7;t=9')]
    limits = (told("default"), admitted()), (told("default-2"), admitted())
    fields = fields_of(*limits, own=own)
    assert list(items(fields, b"ratelimit")) == ["default-3", "default-2"]
    assert [name for name, _ in fields] == X + LISTS


def test_a_refusal_that_tells_of_its_limit_itself() -> None:
    own = [(b"ratelimit", b'"free";r=0;t=9')]
    fields = fields_of((told("outer"), admitted()), (told("free"), refused()), own=own)
    assert list(items(fields, b"ratelimit")) == ["outer"]
    assert [name for name, _ in fields_of((told("free"), refused()), own=own)] == X
