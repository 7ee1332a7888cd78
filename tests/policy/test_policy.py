"""A policy: frozen, checked as a whole, the owner of what it counts; and its decisions without I/O."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Generator
from dataclasses import FrozenInstanceError
from typing import Any, get_type_hints

import pytest

from asgi_calls import get, hello, scope_of
from sluicegate import FixedWindow
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.policy import Policy, Rule
from sluicegate.policy.request import Request
from sluicegate.policy.routes.endpoint import EndpointOptions


def test_it_owns_what_it_counts_whenever_a_middleware_is_made() -> None:
    tiers = {"free": (2, 600)}
    policy, other = Policy(tiers=tiers), Policy(tiers=tiers)
    first = RateLimitMiddleware(hello, policy=policy)
    assert get(first).status == 200
    second = RateLimitMiddleware(hello, policy=copy.deepcopy(policy))
    assert [get(second).status for _ in range(2)] == [200, 429]
    assert get(RateLimitMiddleware(hello, policy=other)).status == 200
    assert get(RateLimitMiddleware(hello, tiers=tiers)).status == 200


def test_it_is_frozen_and_shows_no_secret() -> None:
    policy = Policy({"free": (2, 600), "paid": (9, 600)}, redis="redis://:secret@localhost")
    with pytest.raises(FrozenInstanceError):
        policy.shadow = True  # type: ignore[misc]
    assert repr(policy) == "<Policy of the tiers free, paid>"
    assert policy != Policy({"free": (2, 600), "paid": (9, 600)})


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "^a policy needs tiers=, limiter= or rules=, got none of them"),
        ({"tiers": {"a": (1, 60)}, "limiter": FixedWindow(1, 60)}, "limiter=, got both"),
        ({"tiers": {"free": (0, 60)}}, r"tiers\['free'\]: limit must be an int from 1"),
        ({"limiter": FixedWindow(1, 60), "max_keys": 5}, "max_keys= means nothing here"),
        ({"limiter": FixedWindow(1, 60), "shadow": 1}, "shadow must be True or False, got 1"),
        ({"limiter": FixedWindow(1, 60), "bogus": 1}, "unexpected keyword argument 'bogus'"),
    ],
)
def test_it_is_checked_as_a_whole(options: dict[str, Any], text: str) -> None:
    for make in (Policy, lambda **given: RateLimitMiddleware(hello, **given)):
        with pytest.raises((TypeError, ValueError), match=text):
            make(**options)


def test_no_error_names_a_private_class() -> None:
    wrong: dict[str, Any] = {"tiers": {"free": (1, 60)}, "bogus": 1}
    with pytest.raises(TypeError, match=r"^Policy.__init__\(\) got an unexpected .* 'bogus'"):
        Policy(**wrong)
    with pytest.raises(TypeError, match=r"^RateLimitMiddleware.__init__\(\) got an unexpected"):
        RateLimitMiddleware(hello, **wrong)
    make: Any = rate_limit
    for arguments, text in [((), "missing"), ((1, 2, 3), "takes from")]:
        with pytest.raises(TypeError, match=rf"^rate_limit\(\) {text}"):
            make(*arguments)


def test_it_stands_alone() -> None:
    policy = Policy(tiers={"free": (2, 600)})
    make: Any = RateLimitMiddleware
    for more in ({"shadow": True}, {"tiers": {"free": (1, 1)}}):
        with pytest.raises(TypeError, match="policy= stands for all other options: leave out"):
            make(hello, policy=policy, **more)
    with pytest.raises(TypeError, match="policy must be a Policy, or the path of a file, got 5"):
        make(hello, policy=5)


def answers(steps: Generator[Any, Any, Any]) -> Any:
    """A shell without an event loop."""
    try:
        function, arguments = next(steps)
        while True:
            function, arguments = steps.send(function(*arguments))
    except StopIteration as end:
        return end.value


def test_its_enforcer_needs_no_event_loop() -> None:
    policy = Policy(
        tiers={"free": (2, 600), "paid": (7, 600)},
        cost=lambda view: view["units"],
        tier=lambda view: view["tier"],
        identify=lambda view: view["who"],
    )

    def decided(who: str, tier: str | None, units: int) -> tuple[str, str, str]:
        view = {"who": who, "tier": tier, "units": units}
        request = Request()
        answers(policy.enforcer.decide(request, scope_of(), lambda _: view, None))
        outcome = "refused" if request.refusal else "admitted" if request.decision else "free"
        return request.key, request.tier.name, outcome

    assert decided("a", None, 2) == ("a", "free", "admitted")
    assert decided("a", None, 1) == ("a", "free", "refused")
    assert decided("a", "paid", 5) == ("a", "paid", "admitted")
    assert decided("b", "paid", 8) == ("b", "paid", "refused")
    assert decided("a", None, 0) == ("a", "free", "free")


def test_a_plan_may_change_between_two_steps() -> None:
    plan = ["free"]
    policy = Policy(
        tiers={"free": (5, 600), "premium": (50, 600)},
        tier=lambda _: plan[0],
        identify=lambda _: "ada",
    )

    def left() -> int | None:
        request = Request()
        answers(policy.enforcer.decide(request, scope_of(), lambda scope: scope, None))
        assert request.decision is not None
        return request.decision.remaining if request.decision else None

    assert [left() for _ in range(6)] == [4, 3, 2, 1, 0, None]
    plan[0] = "premium"
    assert left() == 44
    plan[0] = "free"
    assert left() is None


def test_its_annotations_can_be_read_without_prometheus() -> None:
    hints = get_type_hints(Policy)
    assert {"tiers", "redis", "on_error", "metrics", "hooks", "enforcer"} <= hints.keys()
    assert {"limit", "window", "policy"} <= get_type_hints(EndpointOptions).keys()
    assert "_" not in hints.keys() | get_type_hints(EndpointOptions).keys()


def test_a_pickle_of_it_is_refused_with_what_to_do() -> None:
    with pytest.raises(TypeError, match="by a function that returns it; with redis="):
        pickle.dumps(Policy({"free": (2, 600)}))


def test_making_a_policy_takes_no_more_for_each_rule_than_for_the_first_ones() -> None:
    def calls(rules: int) -> int:
        seen = 0

        def count(frame: Any, event: str, argument: Any) -> None:
            nonlocal seen
            seen += event == "call"

        sys.setprofile(count)
        try:
            Policy(rules=[Rule(f"/{number}", "5/minute; 50/day") for number in range(rules)])
        finally:
            sys.setprofile(None)
        return seen

    calls(10)  # what is made once
    assert calls(400) < 2.2 * calls(200)
