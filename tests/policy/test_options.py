"""The options of limits that are given as numbers, and what they are called in Redis."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient

from asgi_calls import call, get, hello
from redis_servers import Server
from sluicegate import FixedWindow, ManualClock, TokenBucket
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.errors import StoreError
from sluicegate.fastapi import rate_limit
from sluicegate.policy import Policy

ALGORITHMS = [
    "sliding_window",
    "segmented_window",
    "sliding_counter",
    "fixed_window",
    "token_bucket",
]


def statuses(*apps: Any, times: int) -> list[int]:
    return [get(app).status for app in apps for _ in range(times)]


def limited(server: Server, limit: int, window: float, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(hello, tiers={"free": (limit, window)}, redis=server.url, **options)


def test_a_tier_of_the_same_name_and_a_shorter_window_does_not_trim_a_login(
    moved_server: Server,
) -> None:
    """Five logins in 15 minutes were sixty, with a visit beside each to another service."""
    server = moved_server
    login, search = limited(server, 5, 900), limited(server, 1_000, 1)

    async def main() -> int:
        admitted = 0
        for _ in range(60):
            admitted += (await call(login)).status == 200
            assert (await call(search)).status == 200
            server.advance(2)
        return admitted

    assert asyncio.run(main()) == 5


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_changed_limit_keeps_what_was_spent(redis_server: Server, algorithm: str) -> None:
    before = limited(redis_server, 4, 100_000, algorithm=algorithm)
    assert statuses(before, times=5) == [200] * 4 + [429]
    raised = limited(redis_server, 6, 100_000, algorithm=algorithm)
    assert statuses(raised, times=3) == [200, 200, 429]
    lowered = limited(redis_server, 3, 100_000.0, algorithm=algorithm)
    assert statuses(lowered, times=1) == [429]
    assert len(redis_server.command("KEYS", "*")) == 1
    other_window = limited(redis_server, 4, 100_001, algorithm=algorithm)
    # To a bucket, any rate is another amount.
    (status,) = statuses(other_window, times=1)
    assert status == (429 if algorithm == "token_bucket" else 200)


def test_algorithms_of_one_tier_count_apart(redis_server: Server) -> None:
    for algorithm in ALGORITHMS:
        assert statuses(limited(redis_server, 1, 600, algorithm=algorithm), times=2) == [200, 429]


def test_applications_count_apart_by_their_prefix(redis_server: Server) -> None:
    shop, blog = (limited(redis_server, 1, 600, prefix=name) for name in ("shop", "blog"))
    assert statuses(shop, blog, times=2) == [200, 429] * 2
    names = sorted(redis_server.command("KEYS", "*"))
    assert names == [
        b"blog:tier:sliding_log:600:{ip:192.0.2.1}",
        b"shop:tier:sliding_log:600:{ip:192.0.2.1}",
    ]


def route(server: Server, name: str, prefix: str) -> TestClient:
    app = FastAPI()
    limited = rate_limit(1, 600, redis=server.url, name=name, prefix=prefix)

    @app.get("/", dependencies=[limited])
    async def root() -> None: ...

    return TestClient(app)


def codes(*clients: TestClient, times: int) -> list[int]:
    return [client.get("/").status_code for client in clients for _ in range(times)]


@pytest.mark.parametrize("name", ["a:b", "a{b}", "x" * 60, "route:a:sliding_log:60"])
def test_a_name_that_does_not_fit_into_a_key_is_digested(redis_server: Server, name: str) -> None:
    longest = "p" * 31
    for prefix in ("shop", longest):
        clients = [route(redis_server, each, prefix) for each in (name, name + "x")]
        assert codes(*clients, times=2) == [200, 429] * 2
    names = redis_server.command("KEYS", "*")
    assert len(names) == 4
    for key in names:
        assert key.startswith((b"shop:", longest.encode() + b":"))


def test_a_prefix_with_colons_is_not_taken_for_a_routes_name(redis_server: Server) -> None:
    pairs = [("a", "route:b"), ("a:route", "b"), ("a", "messages"), ("a:route:messages", "b")]
    for prefix, name in pairs:
        assert codes(route(redis_server, name, prefix), times=2) == [200, 429]
    for prefix in ("a", "a:route", "a:route:b"):  # which is no name of a tier's
        assert statuses(limited(redis_server, 1, 600, prefix=prefix), times=2) == [200, 429]


def test_messages_and_concurrency_have_the_prefix_too(redis_server: Server) -> None:
    app = limited(redis_server, 9, 600, prefix="shop", messages=(3, 60), concurrency=2)

    async def chat(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        await receive()
        names.extend(redis_server.command("KEYS", "*"))

    names: list[bytes] = []
    app.app = chat
    get(app, kind="websocket", messages=[{"type": "websocket.receive", "text": "x"}])
    assert sorted(names) == [
        b"shop:concurrency:{ip:192.0.2.1}",
        b"shop:tier:sliding_log:600:{ip:192.0.2.1}",
        b"shop:websocket:messages:sliding_log:60:{ip:192.0.2.1}",
    ]


def test_a_routes_limit_keeps_what_was_spent_when_it_changes(redis_server: Server) -> None:
    def an_app(limit: int, window: float = 600, **options: Any) -> TestClient:
        app = FastAPI()

        @app.get("/", dependencies=[rate_limit(limit, window, redis=redis_server.url, **options)])
        async def root() -> None: ...

        return TestClient(app)

    def codes(client: TestClient, times: int) -> list[int]:
        return [client.get("/").status_code for _ in range(times)]

    assert codes(an_app(2), 3) == [200, 200, 429]
    assert codes(an_app(3), 2) == [200, 429]
    assert codes(an_app(2, 601), 3) == [200, 200, 429]
    assert codes(an_app(1, prefix="blog"), 2) == [200, 429]
    assert codes(an_app(1, name="other"), 2) == [200, 429]
    names = redis_server.command("KEYS", "*:route:*")
    assert sorted(name.split(b":{")[0] for name in names) == [
        b"blog:route:route:sliding_log:600",
        b"sluicegate:route:other:sliding_log:600",
        b"sluicegate:route:route:sliding_log:600",
        b"sluicegate:route:route:sliding_log:601",
    ]


def test_a_routers_limit_and_a_routes_do_not_charge_each_others(redis_server: Server) -> None:
    """Both have one name, algorithm and window, and the amount is no part of a key."""
    url = redis_server.url
    router = APIRouter(dependencies=[rate_limit(5, 600, redis=url)])

    @router.get("/", dependencies=[rate_limit(3, 600, redis=url)])
    async def root() -> None: ...

    app = FastAPI()
    app.include_router(router)
    client = TestClient(app)
    assert [client.get("/").status_code for _ in range(6)] == [200] * 3 + [429] * 3


def test_options_of_limits_in_redis_reach_them(redis_server: Server) -> None:
    with Server() as gone:
        url = gone.url
    options = {"timeout": 0.05, "workers": 2, "remember": False, "on_error": "open"}
    app = RateLimitMiddleware(
        hello, tiers={"free": (1, 600)}, messages=(1, 60), concurrency=1, redis=url, **options
    )
    # Nobody decides, so that all are admitted.
    assert statuses(app, times=3) == [200] * 3
    shared = RateLimitMiddleware(hello, tiers={"free": (4, 600)}, redis=url, workers=2)
    assert statuses(shared, times=3) == [200, 200, 429]
    raising = RateLimitMiddleware(hello, tiers={"free": (1, 600)}, redis=url, on_error="raise")
    with pytest.raises(StoreError):
        get(raising)


def test_options_of_limits_in_memory_reach_them(clock: ManualClock) -> None:
    app = RateLimitMiddleware(
        hello, tiers={"free": (1, 60)}, max_keys=1, overflow="admit", clock=clock
    )
    assert statuses(app, times=2) == [200, 429]
    assert [get(app, peer="192.0.2.2").status for _ in range(3)] == [200] * 3
    clock.advance(60)
    assert statuses(app, times=2) == [200, 429]
    shared = RateLimitMiddleware(hello, tiers={"free": (1, 60)}, max_keys=1, clock=clock)
    peers = ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert [get(shared, peer=peer).status for peer in peers] == [200, 200, 429]


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, TokenBucket, type("Mine", (FixedWindow,), {})])
def test_each_algorithm_in_memory_takes_them(algorithm: Any, clock: ManualClock) -> None:
    clock.advance(1_000_000)
    app = RateLimitMiddleware(
        hello, tiers={"free": (1, 60)}, algorithm=algorithm, clock=clock, max_keys=5
    )
    assert statuses(app, times=2) == [200, 429]
    clock.advance(120)
    assert statuses(app, times=2) == [200, 429]


def a_middleware(**options: Any) -> Any:
    return RateLimitMiddleware(hello, tiers={"free": (1, 60)}, **options)


def a_dependency(**options: Any) -> Any:
    return rate_limit(1, 60, **options)


@pytest.mark.parametrize("make", [a_middleware, a_dependency])
@pytest.mark.parametrize(
    ("options", "kind", "text"),
    [
        (
            {"prefix": "shop"},
            TypeError,
            "prefix= is for limits in a zone or in Redis: give redis= too, or a zone as store=, or leave it",
        ),
        ({"timeout": 0.1}, TypeError, "timeout= is for limits in Redis"),
        ({"on_error": "open"}, TypeError, "on_error= is for limits in Redis"),
        ({"workers": 2}, TypeError, "workers= is for limits in Redis"),
        ({"remember": False}, TypeError, "remember= is for limits in Redis"),
        ({"max_keys": 0}, ValueError, "max_keys must be"),
        ({"overflow": "drop"}, ValueError, "overflow must be"),
        ({"clock": 1}, TypeError, "clock"),
        ({"redis": 1, "max_keys": 5}, TypeError, "max_keys= is for limits in memory: it means"),
        ({"redis": 1, "overflow": "share"}, TypeError, "overflow= is for limits in memory"),
        (
            {"redis": 1, "clock": ManualClock()},
            TypeError,
            "clock= is for limits in memory or in a zone:",
        ),
        ({"redis": 1, "prefix": ""}, ValueError, "prefix must be 1 to 31 bytes"),
        ({"redis": 1, "prefix": "p" * 32}, ValueError, "prefix must be 1 to 31 bytes"),
        ({"redis": 1, "prefix": "a{b}"}, ValueError, "prefix must be"),
        ({"redis": 1, "prefix": 7}, TypeError, "prefix must be a str"),
        ({"redis": 1, "timeout": 0}, ValueError, "timeout must be"),
        ({"redis": 1, "on_error": "shut"}, ValueError, "on_error must be"),
        ({"redis": 1, "workers": 0}, ValueError, "workers must be"),
        ({"redis": 1, "remember": 1}, TypeError, "remember must be True or False"),
        ({"algorithm": lambda *_: 0, "max_keys": 5}, TypeError, "max_keys= is for the algor"),
    ],
)
def test_wrong_options_are_named(
    make: Any, options: dict[str, Any], kind: type[Exception], text: str
) -> None:
    if "redis" in options:
        options = {**options, "redis": "redis://localhost"}
    with pytest.raises(kind, match=text):
        make(**options)


@pytest.mark.parametrize("option", [{"max_keys": 5}, {"clock": ManualClock()}])
def test_options_that_nothing_is_made_with_are_refused(option: Any) -> None:
    limiter = FixedWindow(1, 60)
    for quotas in ({"limiter": limiter}, {"tiers": {"free": limiter}}):
        with pytest.raises(TypeError, match="means nothing here"):
            RateLimitMiddleware(hello, **quotas, **option)
        RateLimitMiddleware(hello, **quotas, messages=(1, 60), **option)
    RateLimitMiddleware(hello, tiers={"free": limiter, "paid": (9, 60)}, **option)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"algorithm": "fixed_window"}, "algorithm= means nothing beside limiters that are made"),
        ({"tiers": {"a": (1, 60)}, "name": "default"}, "name= means nothing beside tiers="),
        ({"api_key_header": "x-api-key"}, "api_key_header= means nothing without verify=: give"),
        ({"proxy_header": "x-real-ip"}, "proxy_header= means nothing without trusted_proxies="),
        ({"endpoint": lambda _: "a"}, "endpoint= means nothing without metrics= or hooks="),
    ],
)
def test_an_option_that_others_leave_nothing_to_say_is_refused(
    options: dict[str, Any], text: str
) -> None:
    if "tiers" not in options:
        options = {"limiter": FixedWindow(1, 60), **options}
    for make in (Policy, partial(RateLimitMiddleware, hello)):
        with pytest.raises(ValueError, match=f"^{text}.* or leave [a-z_]+= out$"):
            make(**options)


@pytest.mark.parametrize(
    "options",
    [
        {"tiers": {"a": FixedWindow(1, 60)}, "messages": (1, 60), "algorithm": "fixed_window"},
        {"limiter": FixedWindow(1, 60), "name": "default"},
        {"tiers": {"a": (1, 60)}, "verify": str, "api_key_header": "x-api-key"},
        {"tiers": {"a": (1, 60)}, "trusted_proxies": 1, "proxy_header": "x-forwarded-for"},
        {"tiers": {"a": (1, 60)}, "closed_status": 503, "trusted_proxies": ()},
    ],
)
def test_an_option_that_says_something_is_not(options: dict[str, Any]) -> None:
    assert Policy(**options).enforcer


def test_bounds_are_numbers_that_one_reads() -> None:
    options: dict[str, Any] = {"tiers": {"a": (1, 60)}, "verify": str, "verify_ttl": 1e8}
    with pytest.raises(ValueError, match="of seconds from 0 to 1,000,000, got 100000000"):
        Policy(**options)
    with pytest.raises(ValueError, match=r"window must be .* from 0.000001 to 1,000,000,000"):
        rate_limit(1, window=0)
