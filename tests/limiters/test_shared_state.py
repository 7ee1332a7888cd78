"""State belongs to what the user passes: middlewares that are made of the same thing share it."""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

import pytest
from litestar import Controller, Litestar, Router
from litestar import get as route
from litestar.middleware import DefineMiddleware
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asgi_calls import get, hello
from sluicegate import (
    ConcurrencyLimiter,
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy.owned import _owned

PATHS = ["/a", "/b", "/c", "/d"]


def admitted(app: Any) -> int:
    return sum(get(app, path).status == 200 for path in PATHS for _ in range(4))


def handlers(**options: Any) -> list[Any]:
    def handler(path: str) -> Any:
        @route(path, sync_to_thread=False, **options)
        def answer() -> str:
            return "fine"

        return answer

    return [handler(path) for path in PATHS]


def litestar(*routes: Any, **options: Any) -> Litestar:
    return Litestar(list(routes), openapi_config=None, **options)


@pytest.mark.parametrize("quota", [lambda: (3, 600), lambda: FixedWindow(3, 600)])
def test_litestar_builds_it_for_each_handler(quota: Callable[[], Any]) -> None:
    """Three were twelve."""
    limits = DefineMiddleware(RateLimitMiddleware, tiers={"free": quota()})
    assert admitted(litestar(*handlers(), middleware=[limits])) == 3


class _Tea(Controller):
    path = "/tea"

    @route("/green", sync_to_thread=False)
    def green(self) -> str:
        return "fine"

    @route("/black", sync_to_thread=False)
    def black(self) -> str:
        return "fine"


def of_a_router(limits: Any) -> Litestar:
    return litestar(Router("/", route_handlers=handlers(), middleware=[limits]))


def of_handlers(limits: Any) -> Litestar:
    return litestar(*handlers(middleware=[limits]))


def of_a_controllers_handlers(limits: Any) -> Litestar:
    def handler(path: str) -> Any:
        @route(path, sync_to_thread=False, middleware=[limits])
        def answer(self: Any) -> str:
            return "fine"

        return answer

    names = {f"handler_{number}": handler(path) for number, path in enumerate(PATHS)}
    return litestar(type("Mine", (Controller,), {"path": "/", **names}))


@pytest.mark.parametrize("place", [of_a_router, of_handlers, of_a_controllers_handlers])
def test_a_limiter_stays_one_wherever_litestar_copies_to(place: Callable[[Any], Litestar]) -> None:
    limits = DefineMiddleware(RateLimitMiddleware, tiers={"free": FixedWindow(3, 600)})
    assert admitted(place(limits)) == 3
    limits = DefineMiddleware(
        RateLimitMiddleware, limiter=FixedWindow(3, 600), concurrency=ConcurrencyLimiter(2)
    )
    assert admitted(place(limits)) == 3


@pytest.mark.parametrize("place", [of_a_router, of_handlers])
def test_numbers_stay_one_limit_below_the_app(place: Callable[[Any], Litestar]) -> None:
    limits = DefineMiddleware(RateLimitMiddleware, tiers={"free": (3, 600)})
    assert admitted(place(limits)) == 3


def test_a_litestar_controller_shares_with_its_app() -> None:
    limits = DefineMiddleware(RateLimitMiddleware, tiers={"free": (3, 600)})
    app = litestar(_Tea, middleware=[limits])
    paths = ["/tea/green", "/tea/black"] * 2
    assert [get(app, path).status for path in paths] == [200, 200, 200, 429]


def test_starlette_builds_it_for_each_route_and_mount() -> None:
    def answer(_: Any) -> PlainTextResponse:
        return PlainTextResponse("fine")

    limits = [Middleware(RateLimitMiddleware, tiers={"free": (3, 600)})]
    routes: list[Any] = [Route(path, answer, middleware=limits) for path in PATHS[:2]]
    routes += [Mount(path, answer_app, middleware=limits) for path in PATHS[2:]]
    assert admitted(Starlette(routes=routes)) == 3


async def answer_app(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("fine")(scope, receive, send)


@pytest.mark.parametrize("kind", [dict, MappingProxyType])
def test_the_tiers_are_compared_by_identity(kind: Any) -> None:
    tiers = kind({"free": (3, 600), "paid": (5, 600)})
    make = partial(RateLimitMiddleware, hello)
    same = [make(tiers=tiers) for _ in range(3)]
    shadow = make(tiers=tiers, shadow=True)
    others = [
        make(tiers=kind({"free": (3, 600), "paid": (5, 600)})),
        make(tiers=tiers, algorithm="fixed_window"),
        make(tiers=tiers, max_keys=5),
    ]
    assert [get(app).status for app in same for _ in range(2)] == [200] * 3 + [429] * 3
    assert get(shadow).status == 200
    assert not get(shadow).scope["sluicegate.decision"]
    for other in others:
        assert [get(other).status for _ in range(4)] == [200] * 3 + [429]


@pytest.mark.parametrize("algorithm", ["sliding_window", "token_bucket"])
def test_what_is_made_after_the_first_request_begins_afresh(algorithm: str) -> None:
    """As in the tests of a program, or in an app that is mounted in another."""
    tiers = {"free": (2, 600), "paid": (2, 600)}
    options: Any = {"tiers": tiers, "algorithm": algorithm}
    outer = RateLimitMiddleware(hello, **options)
    assert get(outer).status == 200
    inner = RateLimitMiddleware(hello, **options)
    beside = RateLimitMiddleware(hello, **options)
    assert [get(app).status for app in (inner, beside, inner)] == [200, 200, 429]
    outer.app = RateLimitMiddleware(hello, **options)
    assert get(outer).status == 200
    assert get(outer).status == 429


def test_a_tier_that_was_changed_meanwhile_keeps_what_was_spent() -> None:
    tiers: dict[str, Any] = {"free": (1, 600)}
    first = RateLimitMiddleware(hello, tiers=tiers)
    tiers["free"] = (2, 600)
    second = RateLimitMiddleware(hello, tiers=tiers)
    assert [get(first).status for _ in range(2)] == [200, 429]
    assert [get(second).status for _ in range(2)] == [200, 429], "one of its two was spent"
    assert get(first).status == 429
    tiers["free"] = (True, 600)
    with pytest.raises(TypeError, match="tiers"):
        RateLimitMiddleware(hello, tiers=tiers)


def test_messages_and_concurrency_belong_to_the_same() -> None:
    for owner in ({"tiers": {"free": (9, 60)}}, {"limiter": FixedWindow(9, 60)}):
        options: Any = {**owner, "messages": (2, 60), "concurrency": 1}
        one, two = (RateLimitMiddleware(hello, **options)._policy.enforcer for _ in range(2))
        assert one.permits is two.permits
        assert one.messages is not None
        assert two.messages is not None
        assert one.messages.limiter is two.messages.limiter
        other = RateLimitMiddleware(hello, **{**options, "concurrency": 2})._policy.enforcer
        assert other.permits is not one.permits


def test_nothing_is_kept_of_middlewares_that_are_gone() -> None:
    gc.collect()
    before = len(_owned)
    tiers = {"free": (1, 600)}
    apps = [RateLimitMiddleware(hello, tiers=tiers) for _ in range(3)]
    assert len(_owned) == before + 1
    assert get(apps[0]).status == 200
    apps += [RateLimitMiddleware(hello, tiers=tiers)]
    assert len(_owned) == before + 1
    del apps
    gc.collect()
    assert len(_owned) == before


@pytest.mark.parametrize(
    "limiter",
    [
        FixedWindow(1, 60),
        SlidingWindowRateLimiter(1, 60),
        SegmentedWindow(1, 60),
        SlidingWindowCounter(1, 60),
        TokenBucket(capacity=1, refill_rate=1),
        ConcurrencyLimiter(1),
    ],
    ids=repr,
)
def test_a_copy_of_one_in_memory_is_the_same(limiter: Any) -> None:
    assert copy.copy(limiter) is limiter
    assert copy.deepcopy({"free": limiter})["free"] is limiter
