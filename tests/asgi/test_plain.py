"""Requests to a policy without options, which the core admits: as those of any other policy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_calls import get, hello, scope_of
from sluicegate import FixedWindow, ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Policy, Rule


def both_ways(**options: Any) -> list[RateLimitMiddleware]:
    """By the core, and, because of an option that changes nothing, step by step."""
    return [
        RateLimitMiddleware(hello, limiter=FixedWindow(2, 60, clock=ManualClock()), **more)
        for more in (options, {**options, "cost": lambda _: 1})
    ]


@pytest.mark.parametrize("headers", [(), "ietf", "x-ratelimit", ("ietf", "x-ratelimit")])
@pytest.mark.parametrize("asked", [[], [("origin", "https://a.example")]])
@pytest.mark.parametrize("more", [{}, {"shadow": True}, {"exempt": ["/health"]}])
def test_both_ways_answer_alike(headers: Any, asked: Any, more: Any) -> None:
    for path in ("/", "/health"):
        plain, by_steps = (
            [get(app, path, headers=asked) for _ in range(3)]
            for app in both_ways(headers=headers, **more)
        )
        assert [each.sent for each in plain] == [each.sent for each in by_steps]
        decisions = [
            [each.scope.get("sluicegate.decision") for each in answers]
            for answers in (plain, by_steps)
        ]
        assert decisions[0] == decisions[1]


def test_the_core_admits_and_leaves_the_rest_to_the_enforcer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    app = RateLimitMiddleware(hello, limiter=FixedWindow(1, 60))
    decide = type(app._policy.enforcer).decide

    def noted(enforcer: Any, request: Any, scope: Any, *more: Any) -> Any:
        asked.append(f"{scope['type']} {scope['method']}")
        return decide(enforcer, request, scope, *more)

    monkeypatch.setattr(type(app._policy.enforcer), "decide", noted)
    assert [get(app).status for _ in range(2)] == [200, 429]
    assert get(app, method="OPTIONS").status == 429
    assert get(app, user=None).status == 429
    assert get(app, kind="websocket").status == 0
    assert asked == ["http OPTIONS", "http GET", "websocket GET"]


def test_a_key_is_asked_for_once_even_if_the_request_is_refused() -> None:
    asked: list[object] = []

    def no_address(scope: Any) -> str:
        asked.append(scope)
        return "socket"

    app = RateLimitMiddleware(hello, limiter=FixedWindow(1, 60), no_address=no_address)
    assert [get(app, peer=None).status for _ in range(2)] == [200, 429]
    assert len(asked) == 2


@pytest.mark.parametrize("client", [None, (), [], ["192.0.2.1", 80], ([], 80), (5, 80)])
def test_a_peer_of_any_shape(client: Any) -> None:
    app = RateLimitMiddleware(hello, limiter=FixedWindow(1, 60))
    assert [get(app, client=client).status for _ in range(2)] == [200, 429]


def test_a_mapping_that_is_no_dict_is_a_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    from collections import UserDict

    scope: Any = UserDict(scope_of())
    monkeypatch.setattr("asgi_calls.scope_of", lambda *_, **__: scope)
    app = RateLimitMiddleware(hello, limiter=FixedWindow(1, 60))
    assert [get(app).status for _ in range(2)] == [200, 429]


def test_exempt_paths_leave_the_servers_start_alone() -> None:
    """It has no path. A server takes an exception for an app that has no lifespan."""
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    limited = RateLimitMiddleware(app, tiers={"free": "1/minute"}, exempt=["/health"])
    nobody: Any = None
    asyncio.run(limited({"type": "lifespan", "asgi": {"version": "3.0"}}, nobody, nobody))
    assert seen == ["lifespan"]


def rules_both_ways(**options: Any) -> list[RateLimitMiddleware]:
    """Rules that count by nothing but the address: without steps, and step by step."""
    rules = [
        Rule("/a/*", "2/minute", name="a"),
        Rule("/a/b", "9/hour", by="address", name="b", headers="ietf"),
        Rule("/a/c", "9/hour", by="all", name="c"),
        Rule("/a/d", "9/hour", cost=2, name="d"),
        Rule("/free", exempt=True),
    ]
    tiers = {"free": "3/minute", "paid": "9/minute"}
    return [
        RateLimitMiddleware(
            hello, policy=Policy(tiers, rules=rules, clock=ManualClock(), **options, **more)
        )
        for more in ({}, {"cost": lambda _: 1})
    ]


@pytest.mark.parametrize("asked", [[], [("origin", "https://a.example")]])
@pytest.mark.parametrize("more", [{}, {"shadow": True}, {"exempt": ["/a/e/*"]}, {"headers": ()}])
@pytest.mark.parametrize("path", ["/", "/a/x", "/a/b", "/a/c", "/a/d", "/a/e/1", "/free"])
def test_rules_answer_alike_both_ways(path: str, asked: Any, more: Any) -> None:
    plain, by_steps = (
        [get(app, path, headers=asked) for _ in range(4)] for app in rules_both_ways(**more)
    )
    assert [each.sent for each in plain] == [each.sent for each in by_steps]
    decisions = [
        [each.scope.get("sluicegate.decision") for each in answers] for answers in (plain, by_steps)
    ]
    assert decisions[0] == decisions[1]


def test_requests_that_meet_rules_are_admitted_without_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    app, _ = rules_both_ways()
    decide = type(app._policy.enforcer).decide

    def noted(enforcer: Any, request: Any, scope: Any, *more: Any) -> Any:
        asked.append(scope["path"])
        return decide(enforcer, request, scope, *more)

    monkeypatch.setattr(type(app._policy.enforcer), "decide", noted)
    for path in ("/", "/a/x", "/a/b", "/a/b", "/a/c", "/free"):
        get(app, path)
    assert asked == ["/a/c", "/free"]


def test_what_they_have_spent_comes_back() -> None:
    """A limit further in that refuses gives back what was spent without steps, by the rules' keys."""
    app, _ = rules_both_ways()
    inner = RateLimitMiddleware(hello, limiter=FixedWindow(1, 60, clock=ManualClock()))
    app.app = inner
    assert [get(app, "/a/b").status for _ in range(4)] == [200, 429, 429, 429]
    app.app = hello
    decision = get(app, "/a/b").scope["sluicegate.decision"]
    assert {name: each.remaining for name, each in decision.limits.items()} == {
        "a/minute": 0,
        "b/hour": 7,
        "client/minute": 1,
    }
