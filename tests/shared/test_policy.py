"""``store=`` of policies and routes: a zone, a server or nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio
from fastapi import FastAPI
from fastapi.testclient import TestClient

from asgi_calls import call, get, hello
from redis_servers import Server
from sluicegate import ManualClock, shared
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.policy import Policy

ALGORITHMS = ["segmented_window", "sliding_counter", "fixed_window", "token_bucket"]


def limited(store: Any, quota: Any = "2/hour", **options: Any) -> RateLimitMiddleware:
    tiers = options.pop("tiers", {"free": quota})
    return RateLimitMiddleware(hello, tiers=tiers, store=store, **options)


def statuses(*apps: Any, times: int) -> list[int]:
    return [get(app).status for app in apps for _ in range(times)]


def test_policies_of_one_zone_count_together(url: str) -> None:
    assert statuses(limited(url), limited(url), times=2) == [200, 200, 429, 429]
    answer = get(limited(url))
    assert answer.scope["sluicegate.decision"].store == "shared"
    assert 1 <= int(answer.headers["retry-after"]) <= 3_600 * 8 / 7 + 1


@pytest.mark.parametrize(
    "store_of",
    [
        lambda server: server.url,
        lambda server: redis.Redis(port=server.port),
        lambda server: redis.asyncio.Redis(port=server.port),
    ],
    ids=["URL", "client", "asyncio client"],
)
def test_a_server_is_a_store_as_well(redis_server: Server, store_of: Any) -> None:
    by_store = limited(store_of(redis_server))
    by_redis = RateLimitMiddleware(hello, tiers={"free": "2/hour"}, redis=redis_server.url)
    assert statuses(by_store, by_redis, times=2) == [200, 200, 429, 429]


def test_a_zone_that_is_open_is_a_store(url: str, tmp_path: Path) -> None:
    assert statuses(limited(url), times=3) == [200, 200, 429]
    assert statuses(limited(shared.Zone(tmp_path / "limits.zone")), times=1) == [429]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_changed_limit_keeps_what_was_spent(url: str, algorithm: str) -> None:
    def one(quota: Any) -> RateLimitMiddleware:
        return limited(url, quota, algorithm=algorithm)

    assert statuses(one((4, 100_000)), times=5) == [200] * 4 + [429]
    raised = statuses(one((6, 100_000)), times=3)
    # A bucket has spent time: what is left of the larger one is its whole difference, or less.
    assert raised == [200, 200, 429] or algorithm == "token_bucket"
    assert statuses(one((3, 100_000.0)), times=1) == [429]
    (status,) = statuses(one((4, 100_001)), times=1)
    assert status == (429 if algorithm == "token_bucket" else 200)


def test_algorithms_and_prefixes_count_apart(url: str) -> None:
    for algorithm in ALGORITHMS:
        app = limited(url, (1, 600), algorithm=algorithm)
        assert statuses(app, times=2) == [200, 429]
    for prefix in ("shop", "blög", "p" * 31):
        assert statuses(limited(url, (1, 600), prefix=prefix), times=2) == [200, 429]


def limiter_of(app: RateLimitMiddleware) -> Any:
    return app._policy.enforcer.default.limiter


def test_without_a_name_it_is_segments_or_a_bucket(url: str) -> None:
    segments = limiter_of(limited(url, "100/hour"))
    assert isinstance(segments, shared.SegmentedWindow)
    assert segments.parts == 7  # for all limits up to 1,023, so that one can be raised
    assert isinstance(limiter_of(limited(url, "100/hour burst 5")), shared.TokenBucket)
    plans = limited(url, tiers=lambda _: "100/hour")
    assert isinstance(limiter_of(plans), shared.SegmentedWindow)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"quota": "1024/hour"}, ValueError, r"tiers\['free'\]: .*need an algorithm that is named"),
        ({"tiers": lambda _: "1024/hour"}, ValueError, r"tiers\('default'\): .*above 1,023"),
        ({"quota": "5/day in UTC"}, ValueError, "a zone has no calendar windows"),
        ({"algorithm": "sliding_window"}, TypeError, r"tiers\['free'\]: .*take a SegmentedWindow"),
        ({"algorithm": "leaky"}, ValueError, "algorithm must be one of"),
        ({"algorithm": lambda *_: None}, TypeError, "a class of sluicegate.shared"),
        ({"redis": "redis://localhost"}, TypeError, "redis= and store= are the same"),
        ({"max_keys": 5}, TypeError, "max_keys= is for limits in memory: it means nothing in a"),
        ({"overflow": "admit"}, TypeError, "overflow= is for limits in memory"),
        ({"timeout": 1}, TypeError, "timeout= is for limits in Redis: it means nothing in a zone"),
        ({"on_error": "open"}, TypeError, "on_error= is for limits in Redis"),
        ({"workers": 4}, TypeError, "workers= is for limits in Redis"),
        ({"remember": False}, TypeError, "remember= is for limits in Redis"),
        ({"prefix": "p" * 32}, ValueError, "prefix must be 1 to 31 bytes"),
        (
            {"concurrency": 65_536},
            ValueError,
            "concurrency: limit must be an int from 1 to 65,?535",
        ),
        ({"limiter": hello, "tiers": None}, TypeError, "limiter must have the verbs"),
    ],
)
def test_wrong_options_are_named(
    url: str, options: dict[str, Any], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        limited(url, **options)


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        ({"store": "memcached://x:secret@y"}, ValueError, "store must be a URL such as redis://"),
        ({"store": "shared:x/y"}, ValueError, "its path must be absolute"),
        ({"store": "redis://x:y:z"}, ValueError, "^store must be a URL such as redis://"),
        ({"store": 5}, TypeError, "a redis-py client or a zone, got int 5"),
        ({"redis": "shared:x"}, TypeError, "redis= is for a server: give the zone as store="),
        ({"store": "redis://x", "clock": ManualClock()}, TypeError, "clock= is for limits in mem"),
        ({"store": "redis://x", "max_keys": 5}, TypeError, "it means nothing with redis="),
        ({"prefix": "shop"}, TypeError, "give redis= too, or a zone as store=, or leave it out"),
        ({"algorithm": shared.FixedWindow}, TypeError, "must not be of sluicegate.shared without"),
    ],
)
def test_wrong_stores_are_named(options: dict[str, Any], error: type[Exception], told: str) -> None:
    for make in (lambda: Policy({"free": "2/hour"}, **options), lambda: rate_limit(2, **options)):
        with pytest.raises(error, match=told) as caught:
            make()
        assert "secret" not in str(caught.value)


def test_a_class_of_either_place_names_the_algorithm(url: str) -> None:
    from sluicegate import FixedWindow

    for algorithm in (FixedWindow, shared.FixedWindow, "fixed_window"):
        made = limiter_of(limited(url, "5000/day", algorithm=algorithm))
        assert isinstance(made, shared.FixedWindow)


def test_clients_keep_what_they_spent_when_their_tier_changes(url: str) -> None:
    tier = ["free"]
    app = limited(
        url,
        tiers={"free": "2/hour", "pro": "900/hour"},
        tier=lambda _: tier[0],
        clock=ManualClock(),
    )
    assert statuses(app, times=3) == [200, 200, 429]
    tier[0] = "pro"
    assert int(get(app).headers["x-ratelimit-remaining"]) == 897
    # Another process, in which the other tier comes first.
    other = limited(url, tiers={"pro": "900/hour", "free": "2/hour"}, clock=ManualClock())
    assert int(get(other).headers["x-ratelimit-remaining"]) == 896


def test_plans_of_a_function_are_counted_together(url: str) -> None:
    plans, tier = {"default": "2/hour", "big": "1000/hour"}, ["default"]
    app = limited(url, tiers=plans.get, tier=lambda _: tier[0])
    assert statuses(app, times=3) == [200, 200, 429]
    tier[0] = "big"
    assert int(get(app).headers["x-ratelimit-remaining"]) == 997
    plans["huge"], tier[0] = "5000/hour", "huge"
    with pytest.raises(ValueError, match=r"tiers\('huge'\): quota '5000/hour': in a zone"):
        get(app)


def test_routes_count_in_the_zone_of_their_own_or_the_middlewares(url: str) -> None:
    def client(middleware: bool) -> TestClient:
        app = FastAPI()
        own = {} if middleware else {"store": url}
        if middleware:
            app.add_middleware(RateLimitMiddleware, tiers={"free": "9/hour"}, store=url)

        @app.get("/", dependencies=[rate_limit("2/hour", name="root", **own)])
        async def root() -> None: ...

        return TestClient(app)

    clients = [client(False), client(True), client(True)]
    codes = [each.get("/").status_code for each in clients]
    assert codes == [200, 200, 429]


def test_requests_at_once_are_counted_in_the_zone(url: str) -> None:
    async def main() -> None:
        inside, release = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await release.wait()
            await hello(scope, receive, send)

        first, second = (
            RateLimitMiddleware(app, tiers={"free": "9/hour"}, store=url, concurrency=1)
            for app in (slow, hello)
        )
        held = asyncio.create_task(call(first))
        await inside.wait()
        assert (await call(second)).status == 429
        release.set()
        assert (await held).status == 200
        answer = await call(second)
        assert answer.status == 200
        assert answer.headers["x-ratelimit-remaining"] == "7"  # a refused one spends nothing

    asyncio.run(main())


def test_messages_are_counted_there_too(url: str) -> None:
    app = limited(url, messages="3/minute")
    messages = app._policy.enforcer.messages
    assert messages is not None
    assert isinstance(messages.limiter, shared.SegmentedWindow)


def test_what_is_given_beside_limiters_that_are_made_is_refused(url: str) -> None:
    made = shared.FixedWindow(url, "2/hour", name="own")
    with pytest.raises(TypeError, match="store= means nothing here"):
        RateLimitMiddleware(hello, limiter=made, store=url)
    assert statuses(RateLimitMiddleware(hello, limiter=made), times=3) == [200, 200, 429]
    RateLimitMiddleware(hello, limiter=made, store=url, concurrency=3)
