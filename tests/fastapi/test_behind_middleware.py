"""``rate_limit`` behind the middleware: by its identity, in its store, told and refused as it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import CollectorRegistry
from starlette.websockets import WebSocket

from asgi_calls import Answer, call, get
from key_calls import with_key
from redis_servers import Server
from scrapes import requests, scraped
from sluicegate import FixedWindow, ManualClock
from sluicegate.fastapi import Principal, RateLimitMiddleware, problem_refusal, rate_limit
from sluicegate.hooks import Details
from sluicegate.policy import Policy


def an_app(*limits: Any, inner: Callable[[Any], Any] | None = None, **options: Any) -> FastAPI:
    app = FastAPI()
    if inner is not None:
        app.add_middleware(inner)
    app.add_middleware(RateLimitMiddleware, **{"tiers": {"free": (100, 600)}, **options})

    @app.get("/", dependencies=list(limits))
    async def root() -> None: ...

    @app.websocket("/", dependencies=list(limits))
    async def chat(socket: WebSocket) -> None:
        await socket.accept()

    return app


def passed(app: Any, calls: list[dict[str, Any]]) -> list[int]:
    return [get(app, **call).status for call in calls]


@pytest.mark.parametrize("source", ["key", "identify", "user", "proxy"])
def test_customers_behind_one_address_have_a_quota_each(source: str) -> None:
    """They shared three."""
    options: dict[str, dict[str, Any]] = {
        "key": {"verify": lambda key: Principal(key)},
        "identify": {"identify": lambda request: request.headers["x-who"]},
        "user": {},
        "proxy": {"trusted_proxies": 1},
    }
    calls: dict[str, Callable[[str], dict[str, Any]]] = {
        "key": lambda name: with_key(name),
        "identify": lambda name: {"headers": [("x-who", name)]},
        "user": lambda name: {"user": User(name)},
        "proxy": lambda name: {"headers": [("x-forwarded-for", f"203.0.113.{ord(name)}")]},
    }
    app = an_app(rate_limit(3, 600), **options[source])
    for name in "abc":
        assert passed(app, [calls[source](name)] * 4) == [200, 200, 200, 429]


class User:
    is_authenticated = True

    def __init__(self, name: str) -> None:
        self.identity = name


def test_one_key_from_ten_addresses_is_one_client() -> None:
    """It got thirty of three."""
    app = an_app(rate_limit(3, 600), verify=lambda key: Principal(key))
    calls = [{**with_key("alice"), "peer": f"192.0.2.{n % 10}"} for n in range(30)]
    assert passed(app, calls).count(200) == 3
    # An unknown key is its address, and no more.
    unknown = an_app(rate_limit(3, 600), verify=lambda key: None)
    assert passed(unknown, [with_key(f"junk {n}") for n in range(9)]).count(200) == 3


def test_one_who_logs_in_behind_the_middleware_is_known_to_the_endpoint() -> None:
    class LoggingIn:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            scope["user"] = User(dict(scope["headers"])[b"x-who"].decode())
            await self.app(scope, receive, send)

    app = an_app(rate_limit(1, 600), inner=LoggingIn)
    calls = [{"headers": [("x-who", name)]} for name in "aabb"]
    assert passed(app, calls) == [200, 429, 200, 429]


def test_an_identity_of_its_own_comes_first() -> None:
    def who(request: Request) -> str | None:
        return request.headers.get("x-who")

    verify = {"verify": lambda key: Principal(key)}
    app = an_app(rate_limit(1, 600, identify=who), **verify)
    named = [{**with_key(key)} for key in "ab"]
    for each in named:
        each["headers"] = [*each["headers"], ("x-who", "one")]
    assert passed(app, named) == [200, 429]
    assert passed(app, [with_key("a"), with_key("b"), with_key("b")]) == [200, 200, 429]
    by_address = an_app(rate_limit(1, 600, ipv6_prefix=48), **verify)
    assert passed(by_address, [with_key("a"), with_key("b")]) == [200, 429]


def test_the_identity_holds_where_the_middleware_is_exempt() -> None:
    app = an_app(rate_limit(1, 600), verify=lambda key: Principal(key), exempt=["/"])
    answers = [get(app, **with_key(key)) for key in "aabb"]
    assert [answer.status for answer in answers] == [200, 429, 200, 429]
    assert answers[1].headers["retry-after"] == "600"
    assert answers[1].headers["ratelimit-policy"] == '"route";q=1;w=600'


def test_the_identity_holds_for_preflights_too() -> None:
    """All clients behind one proxy shared the quota of an endpoint that answers them itself."""
    app = an_app(trusted_proxies=1)
    app.options("/asked", dependencies=[rate_limit(1, 600)])(endpoint)
    asks = [("origin", "https://app.example"), ("access-control-request-method", "GET")]
    calls = [
        {"path": "/asked", "method": "OPTIONS", "headers": [("x-forwarded-for", peer), *asks]}
        for peer in ("203.0.113.1", "203.0.113.2", "203.0.113.1")
    ]
    assert passed(app, calls) == [200, 200, 429]


def test_it_counts_by_the_middlewares_clock_and_bound(clock: ManualClock) -> None:
    app = an_app(rate_limit(1, 60), rate_limit(9, 60, max_keys=5), clock=clock)
    assert passed(app, [{}] * 2) == [200, 429]
    clock.advance(60)
    assert passed(app, [{}] * 2) == [200, 429]


def test_it_counts_in_the_middlewares_redis(redis_server: Server) -> None:
    store = {"redis": redis_server.url, "prefix": "shop", "timeout": 5}
    apps = [an_app(rate_limit(1, 600), verify=lambda key: key, **store) for _ in range(2)]
    assert [get(app, **with_key("secret")).status for app in apps] == [200, 429]
    (key,) = redis_server.command("KEYS", "shop:route:*")
    assert key.startswith(b"shop:route:route:sliding_log:600:")
    assert b"secret" not in key
    # In memory behind Redis, if it says so; and the other way round, with the key hidden as well.
    assert get(an_app(rate_limit(1, 600, max_keys=9), **store)).status == 200
    own = an_app(rate_limit(1, 600, redis=redis_server.url, prefix="own"), verify=lambda key: key)
    assert passed(own, [with_key("secret")] * 2) == [200, 429]
    assert not any(b"secret" in key for key in redis_server.command("KEYS", "*"))


class Listening:
    wants_key = True

    def __init__(self) -> None:
        self.told: list[Details] = []

    def on_refused(self, details: Details) -> None:
        self.told.append(details)


@pytest.mark.parametrize(
    ("own", "status"), [({}, 500), ({"closed_status": 502}, 502), ({"closed_status": 503}, 503)]
)
def test_what_nobody_decided_has_the_middlewares_status(own: dict[str, Any], status: int) -> None:
    limits = {"redis": "redis://127.0.0.1:1", "on_error": "closed", "closed_status": 500}
    app = an_app(rate_limit(3, 600, **own), exempt=["/"], **limits)
    assert get(app).status == status


@pytest.mark.parametrize(("own", "second"), [({}, 200), ({"trusted_proxies": ()}, 429)])
def test_a_limit_may_say_that_it_trusts_no_proxy(own: dict[str, Any], second: int) -> None:
    app = an_app(rate_limit(1, 600, **own), trusted_proxies=1)
    calls = [{"headers": [("x-forwarded-for", f"203.0.113.{last}")]} for last in (1, 2)]
    assert passed(app, calls) == [200, second]


def test_hooks_and_metrics_are_told() -> None:
    hook, registry = Listening(), CollectorRegistry()
    app = an_app(
        rate_limit(2, 600, name="report"),
        hooks=[hook],
        metrics=registry,
        endpoint=lambda request: request.url.path,
    )
    assert passed(app, [{}] * 3) == [200, 200, 429]
    (details,) = hook.told
    assert (details.limiter, details.allowed, details.limit) == ("report", False, 2)
    assert details.endpoint == "/"
    assert details.key is not None
    assert details.key.endswith("ip:192.0.2.1")
    samples = scraped(registry)
    assert requests(samples, "allowed", "report") == {"/": 2}
    assert requests(samples, "rejected", "report") == {"/": 1}
    assert samples["rate_limit_keys", "report"] == 1


def test_shadow_holds_for_it() -> None:
    hook = Listening()
    app = an_app(
        rate_limit(1, 600), rate_limit(5, 600, cost=lambda _: 6), shadow=True, hooks=[hook]
    )
    answers = [get(app) for _ in range(3)]
    assert [answer.status for answer in answers] == [200] * 3
    assert not any("ratelimit" in name for answer in answers for name in answer.headers)
    # The dear one never fits, and the other one once: told of, but not refused.
    assert [details.limit for details in hook.told] == [5, 1, 5, 1, 5]


def test_a_refusal_has_the_middlewares_shape() -> None:
    def refused(app: Any, **options: Any) -> Answer:
        get(app)
        return get(app, **options)

    plain = refused(an_app(rate_limit(1, 600)))
    body = {"error": "Rate limit exceeded", "retry_after": 600}
    assert plain.json() == {**body, "detail": body}  # as FastAPI has it, as well
    answer = refused(an_app(rate_limit(1, 600), refusal=problem_refusal))
    assert answer.status == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["violated-policies"] == ["route"]
    assert answer.headers["retry-after"] == "600"
    assert answer.headers["x-ratelimit-limit"] == "1"
    policies = [value for name, value in answer.sent[0]["headers"] if name == b"ratelimit-policy"]
    assert policies == [b'"route";q=1;w=600, "free";q=100;w=600']
    dear = an_app(rate_limit(1, 600, cost=lambda _: 2), refusal=problem_refusal)
    assert get(dear).json()["detail"] == "The request costs 2, more than the limit of 1"


@pytest.mark.parametrize("can", [True, False])
def test_a_handshake_is_refused_by_it(can: bool) -> None:
    app = an_app(rate_limit(1, 600), refusal=problem_refusal)
    options: Any = {"kind": "websocket", "messages": [{"type": "websocket.connect"}]}
    if can:
        options["extensions"] = {"websocket.http.response": {}}
    get(app, **options)
    answer = get(app, **options)
    if can:
        assert answer.sent[0]["type"] == "websocket.http.response.start"
        assert answer.status == 429
        assert answer.json()["violated-policies"] == ["route"]
    else:
        assert answer.sent[0]["code"] == 1008


@pytest.mark.parametrize("kind", [HTTPException, 429])
def test_the_apps_own_handler_comes_first(kind: Any) -> None:
    app = an_app(rate_limit(1, 600), refusal=problem_refusal)

    @app.exception_handler(kind)
    async def own(request: Request, error: HTTPException) -> PlainTextResponse:
        return PlainTextResponse(f"own: {error.detail}", error.status_code, error.headers)

    get(app)
    answer = get(app)
    assert answer.body == b"own: {'error': 'Rate limit exceeded', 'retry_after': 600}"
    assert answer.headers["retry-after"] == "600"


def test_what_was_spent_is_given_back_when_a_later_limit_refuses() -> None:
    def units(request: Request) -> int:
        return int(request.headers.get("x-units", 0))

    limiter = FixedWindow(10, 86_400)
    first, last = rate_limit(5, 600, name="first"), rate_limit(9, 600, name="last", cost=units)
    app = an_app(first, last, tiers={"free": limiter})
    dear, cheap = {"headers": [("x-units", "9")]}, {}
    assert passed(app, [dear] * 30) == [200] + [429] * 29
    assert limiter.peek("ip:192.0.2.1").remaining == 9
    assert passed(app, [{"headers": [("x-units", "10")]}] * 30) == [413] * 30
    assert limiter.peek("ip:192.0.2.1").remaining == 9
    # The first of the endpoint's has four left, and is given nothing back that it refused.
    assert passed(app, [cheap] * 9) == [200] * 4 + [429] * 5
    assert limiter.peek("ip:192.0.2.1").remaining == 5
    statistics = limiter.statistics()
    assert (statistics.admitted, statistics.refused) == (69, 0)


def test_it_is_given_back_in_redis(redis_server: Server) -> None:
    app = an_app(rate_limit(1, 600), tiers={"free": (5, 600)}, redis=redis_server.url, timeout=5)
    answers = [get(app) for _ in range(9)]
    assert [answer.status for answer in answers] == [200] + [429] * 8
    assert get(app, "/nothing").headers["x-ratelimit-remaining"] == "3"


def test_it_is_given_back_to_an_outer_middleware() -> None:
    limiter = FixedWindow(10, 86_400)
    app = an_app(tiers={"free": (2, 600)})
    outer = RateLimitMiddleware(app, limiter=limiter)
    assert passed(outer, [{}] * 5) == [200, 200, 429, 429, 429]
    assert limiter.peek("ip:192.0.2.1").remaining == 8


def test_a_limiter_that_cannot_give_back_is_left_alone() -> None:
    class Own:
        limit, window_seconds = 10, 60.0

        def __init__(self) -> None:
            self.check, self.peek = FixedWindow(10, 600).check, FixedWindow(10, 600).peek

    app = an_app(rate_limit(1, 600), tiers={"free": Own()})
    assert passed(app, [{}] * 3) == [200, 429, 429]


def test_one_that_fails_to_give_back_neither_hides_the_refusal_nor_stops_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(FixedWindow):
        def refund(self, key: str, cost: int = 1) -> None:
            raise ConnectionError("down")

    inner, outer = Failing(10, 86_400), FixedWindow(10, 86_400)
    app = an_app(rate_limit(1, 600), tiers=None, limiter=inner)
    both = RateLimitMiddleware(RateLimitMiddleware(app, limiter=inner), limiter=outer)
    assert passed(both, [{}] * 2) == [200, 429]
    assert outer.peek("ip:192.0.2.1").remaining == 9
    assert "could not be given back" in caplog.text
    assert "down" in caplog.text


def test_one_policy_behind_two_apps_and_its_endpoints(clock: ManualClock) -> None:
    policy = Policy(tiers={"free": (3, 600)}, clock=clock)
    limit = rate_limit(1, 60)
    one, two = FastAPI(), FastAPI()
    for app in (one, two):
        app.add_middleware(RateLimitMiddleware, policy=policy)
        app.get("/", dependencies=[limit])(endpoint)
    assert [get(app).status for app in (one, two)] == [200, 429]
    assert [get(app, "/nothing").status for app in (one, two, one)] == [404, 404, 429]


async def endpoint() -> None: ...


def test_requests_at_once_do_not_mix() -> None:
    app = an_app(rate_limit(1, 600), verify=lambda key: Principal(key))

    async def main() -> list[int]:
        calls = [call(app, **with_key(str(n % 20))) for n in range(60)]
        return [answer.status for answer in await asyncio.gather(*calls)]

    assert asyncio.run(main()).count(200) == 20
