"""Gates of the web layer in Redis: tiers of several windows, gates that are given, endpoints."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from asgi_calls import Answer, call, hello
from redis_servers import Server
from sluicegate import Limit
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.metrics import InstrumentedRateLimiter
from sluicegate.policy import Policy
from sluicegate.redis import Gate

pytest_plugins = ["redis_fixtures"]

ME = "ip:192.0.2.1"
PLANS = {"free": "2/second; 9/day", "premium": "50/second; 1000/day; 9/hour"}


def tier(scope: Any) -> str | None:
    return scope["query_string"].decode() or None


def org_of(scope: Any) -> str | None:
    return scope["query_string"].decode() or None


def app_of(server: Server, tiers: Any = PLANS, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(
        hello, tiers=tiers, tier=tier, redis=server.url, timeout=30, **options
    )


async def ask(app: Any, name: str = "", times: int = 1) -> list[Answer]:
    return [await call(app, query_string=name.encode()) for _ in range(times)]


def left(answer: Answer) -> dict[str, int] | int:
    if answer.status != 200:
        return answer.status
    items = [item.split(";") for item in answer.headers["ratelimit"].split(", ")]
    return {name.strip('"'): int(r.removeprefix("r=")) for name, r, _ in items}


def test_tiers_are_one_decision_and_one_account(moved_server: Server) -> None:
    moved_server.set_time(1_800_000_000)
    first, second = (app_of(moved_server, remember=False) for _ in range(2))

    async def main() -> None:
        assert [left(each) for each in await ask(first, times=3)] == [
            {"free/second": 1, "free/day": 8},
            {"free/second": 0, "free/day": 7},
            429,
        ]
        (answer,) = await ask(second)  # as another process
        assert answer.headers["ratelimit"] == '"free/second";r=0;t=1, "free/day";r=7;t=86400'
        (answer,) = await ask(second, "premium")
        assert left(answer) == {"premium/second": 47, "premium/day": 997, "premium/hour": 8}
        moved_server.advance(1)
        assert [left(each) for each in await ask(first)] == [{"free/second": 1, "free/day": 5}]

    asyncio.run(main())
    keys = moved_server.execute("KEYS", "*") if hasattr(moved_server, "execute") else []
    assert all("9/" not in str(key) for key in keys)


def test_a_plan_to_come_joins_them(moved_server: Server) -> None:
    moved_server.set_time(1_800_000_000)
    rows = {"free": "2/second; 9/day"}
    apps = [
        RateLimitMiddleware(
            hello,
            tiers=rows.get,
            default_tier="free",
            tier=tier,
            redis=moved_server.url,
            timeout=30,
        )
        for _ in range(2)
    ]

    async def main() -> None:
        assert [left(each) for each in await ask(apps[0])] == [{"free/second": 1, "free/day": 8}]
        rows["gold"] = "9/second; 5/hour"
        for app, expected in zip(apps, ((7, 4), (6, 3)), strict=True):
            (answer,) = await ask(app, "gold")
            assert left(answer) == {"gold/second": expected[0], "gold/hour": expected[1]}
        assert [left(each) for each in await ask(apps[1])] == [429]

    asyncio.run(main())


def test_a_gate_with_keys_gives_back_by_receipt(moved_server: Server) -> None:
    moved_server.set_time(1_800_000_000)
    limits = [Limit("5/second", by="client"), Limit("7/minute", by="org")]
    gate = Gate(moved_server.url, limits, timeout=30)
    inner = RateLimitMiddleware(hello, tiers={"inner": "1/hour"})
    app = RateLimitMiddleware(inner, limiter=gate, keys={"org": org_of})

    async def main() -> None:
        answers = await ask(app, "acme", 4)
        assert [answer.status for answer in answers] == [200, 429, 429, 429]
        found = await gate.peek({"client": ME, "org": "acme"})
        assert [each.remaining for each in found.limits.values()] == [4, 6]
        (answer,) = await ask(app)
        assert answer.headers["ratelimit"].endswith('"client/second";r=3;t=1')

    asyncio.run(main())


def test_permits_are_held_until_the_app_has_returned(redis_server: Server) -> None:
    async def main() -> None:
        gate = Gate(redis_server.url, [Limit("1 concurrent"), Limit("9/day")], timeout=30)
        inside, end = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await end.wait()
            await hello(scope, receive, send)

        app = RateLimitMiddleware(slow, limiter=gate)
        task = asyncio.create_task(call(app))
        await inside.wait()
        refused = await call(app)
        assert refused.status == 429
        assert refused.scope["sluicegate.refusal"].limit_name == "key/concurrent"
        end.set()
        assert (await task).status == 200
        assert (await call(app)).status == 200
        found = await gate.peek(ME)
        assert [each.remaining for each in found.limits.values()] == [1, 7]

    asyncio.run(main())


def test_an_endpoints_windows(redis_server: Server) -> None:
    app = FastAPI()

    @app.get("/", dependencies=[rate_limit("2/hour; 9/day", redis=redis_server.url, timeout=30)])
    async def root() -> None: ...

    with TestClient(app) as client:
        answers = [client.get("/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (
        answers[0].headers["ratelimit-policy"] == '"route/hour";q=2;w=3600, "route/day";q=9;w=86400'
    )


@pytest.mark.parametrize(("on_error", "status"), [("closed", 503), ("open", 200), ("local", 200)])
def test_a_server_that_is_gone(start: Any, on_error: Any, status: int) -> None:
    server = start(Server)
    server.kill()
    app = app_of(server, on_error=on_error)

    async def main() -> None:
        (answer,) = await ask(app)
        assert answer.status == status
        if on_error == "closed":
            assert "ratelimit" not in answer.headers
            assert answer.headers["retry-after"] == "1"
            assert answer.scope["sluicegate.refusal"].unavailable

    asyncio.run(main())


def test_a_cost_above_a_window_is_a_413(redis_server: Server) -> None:
    app = app_of(redis_server, cost=lambda _: 3)

    async def main() -> None:
        (answer,) = await ask(app)
        assert answer.status == 413
        assert answer.scope["sluicegate.refusal"].limit == 2

    asyncio.run(main())


def test_an_instrumented_gate(redis_server: Server) -> None:
    registry = CollectorRegistry()
    gate = Gate(redis_server.url, "2/hour; 9/day", timeout=30)
    counted: Any = InstrumentedRateLimiter(gate, "free", registry=registry)  # type: ignore[call-overload]

    async def main() -> list[bool]:
        return [await counted.is_allowed("ada", "/tea") for _ in range(3)]

    assert asyncio.run(main()) == [True, True, False]
    from scrapes import requests, scraped

    found = scraped(registry)
    assert requests(found, "allowed") == {"/tea": 2}
    assert found["rate_limit_limit_decisions_total", "key/hour", "rejected", "free"] == 1


def test_what_is_in_redis_is_seen(redis_server: Server) -> None:
    policy = Policy(tiers=PLANS, redis=redis_server.url, verify=lambda _: "ada")
    assert policy.enforcer.needs_asyncio
    assert policy.enforcer.hides_keys
    assert not Policy(tiers=PLANS).enforcer.hides_keys
