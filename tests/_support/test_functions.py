"""What the options that are functions get, and what they may give."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from starlette.requests import Request

from asgi_calls import call, get, hello
from scrapes import requests, scraped
from sluicegate import ConcurrencyLimiter, Decision, FixedWindow
from sluicegate import asgi as bare
from sluicegate.fastapi import RateLimitMiddleware, rate_limit
from sluicegate.hooks import Details


def by_method(request: Any) -> int:
    return 5 if request.method == "POST" else 1


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the body that it received."""
    message = await receive()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message["body"]})


def test_each_callable_gets_a_request_with_a_method() -> None:
    seen: list[Any] = []

    def see(request: Any) -> None:
        seen.append((request.method, request.url.path, type(request).__mro__[1]))

    app = RateLimitMiddleware(
        hello,
        limiter=FixedWindow(9, 60),
        identify=see,
        tier=see,
        cost=lambda request: see(request) or by_method(request),
        exempt=lambda request: see(request) is not None,
        endpoint=lambda request: see(request) or "all",
        metrics=CollectorRegistry(),
    )
    answer = get(app, "/tea", method="POST")
    assert answer.headers["x-ratelimit-remaining"] == "4"
    assert seen == [("POST", "/tea", Request)] * 5


def test_a_handshake_has_a_method_too() -> None:
    async def accept(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    app = RateLimitMiddleware(accept, limiter=FixedWindow(9, 60), cost=by_method)
    answer = get(app, kind="websocket")
    assert answer.headers["x-ratelimit-remaining"] == "8"


async def body(request: Any) -> None:
    await request.body()


async def json(request: Any) -> None:
    await request.json()


async def form(request: Any) -> None:
    async with request.form():
        pass


async def awaited_form(request: Any) -> None:
    await request.form()


async def stream(request: Any) -> None:
    async for _ in request.stream():
        pass


async def is_disconnected(request: Any) -> None:
    await request.is_disconnected()


@pytest.mark.parametrize("read", [body, json, form, awaited_form, stream, is_disconnected])
@pytest.mark.parametrize("kind", ["", "application/x-www-form-urlencoded"])
def test_the_body_is_the_apps(read: Any, kind: str) -> None:
    async def cost(request: Any) -> int:
        with pytest.raises(RuntimeError, match="limits are decided before the body is read"):
            await read(request)
        return 2

    app = RateLimitMiddleware(echo, limiter=FixedWindow(9, 60), cost=cost)
    messages = [{"type": "http.request", "body": b"a=b"}]
    headers = [("content-type", kind)]
    answer = asyncio.run(call(app, messages=messages, method="POST", headers=headers))
    assert answer.body == b"a=b"
    assert answer.headers["x-ratelimit-remaining"] == "7"


def test_a_dependencys_callables_get_the_same() -> None:
    seen: list[Any] = []

    async def who(request: Any) -> str:
        if request.scope["type"] == "http":
            with pytest.raises(RuntimeError, match="limits are decided before the body is read"):
                await request.body()
        seen.append(request.path_params["room"])
        return request.method  # type: ignore[no-any-return]

    app = FastAPI()
    limit = rate_limit(5, 60, identify=who, cost=by_method)

    @app.api_route("/{room}", methods=["GET", "POST"])
    async def root(room: str, request: Request, info: Any = limit) -> Any:
        return [info["remaining"], (await request.body()).decode()]

    @app.websocket("/ws/{room}")
    async def chat(socket: WebSocket, info: Any = limit) -> None:
        await socket.accept()
        await socket.send_json(info["remaining"])
        await socket.close()

    with TestClient(app) as client:
        assert client.post("/a", content="tea").json() == [0, "tea"]
        assert client.get("/a").json() == [4, ""]
        with client.websocket_connect("/ws/b") as socket:
            assert socket.receive_json() == 4
    assert seen == ["a", "a", "b"]


def free(_: Any) -> int:
    return 0


@pytest.mark.parametrize("middleware", [bare.RateLimitMiddleware, RateLimitMiddleware])
def test_what_costs_nothing_is_not_charged(middleware: Any) -> None:
    costs = iter([1, 0, 1, 0])
    limiter = FixedWindow(1, 60)
    app = middleware(hello, limiter=limiter, cost=lambda _: next(costs))
    answers = [get(app) for _ in range(4)]
    assert [answer.status for answer in answers] == [200, 200, 429, 200]
    assert (limiter.statistics().admitted, limiter.statistics().refused) == (1, 1)
    assert not any("ratelimit" in name for name in answers[3].headers)
    assert answers[3].scope["sluicegate.decision"] is None


class Unreachable:
    """A limiter whose server is away."""

    limit, window_seconds = 5, 60

    def check(self, key: str, cost: int = 1) -> Decision:
        raise ConnectionError

    peek = check


def test_what_costs_nothing_asks_nobody_and_nobody_is_told() -> None:
    told: list[Details] = []

    class Listening:
        def on_refused(self, details: Details) -> None:
            told.append(details)

        on_admitted = on_refused

    registry = CollectorRegistry()
    app = bare.RateLimitMiddleware(
        hello, limiter=Unreachable(), cost=free, metrics=registry, hooks=[Listening()]
    )
    assert get(app).status == 200
    assert told == []
    assert requests(scraped(registry), "allowed", "default") == {}


def test_what_costs_nothing_still_has_a_key_and_holds_a_permit() -> None:
    permits = ConcurrencyLimiter(1)
    held: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        held.append(permits.in_use("somebody"))
        await hello(scope, receive, send)

    limited = bare.RateLimitMiddleware(
        app,
        limiter=FixedWindow(1, 60),
        cost=free,
        identify=lambda _: "somebody",
        concurrency=permits,
    )
    assert [get(limited).status for _ in range(2)] == [200, 200]
    assert held == [1, 1]


def test_junk_keys_are_charged_also_where_requests_cost_nothing() -> None:
    asked: list[str] = []
    app = bare.RateLimitMiddleware(
        hello,
        tiers={"free": (5, 60)},
        cost=free,
        verify=lambda key: asked.append(key) or ("alice" if key == "right" else None),
    )
    for number in range(20):
        get(app, headers=[("x-api-key", f"junk {number}")])
    assert len(asked) <= 5
    asked.clear()
    others = [get(app, peer="192.0.2.9", headers=[("x-api-key", "right")]) for _ in range(9)]
    assert [answer.status for answer in others] == [200] * 9
    assert others[0].scope["sluicegate.principal"].id == "alice"


def test_a_dependency_that_costs_nothing_tells_what_is_left() -> None:
    app = FastAPI()
    limit = rate_limit(2, 60, cost=lambda request: int(request.query_params["cost"]))

    @app.get("/")
    async def root(info: Any = limit) -> Any:
        return [info["remaining"], info["reset_at"] > 0]

    client = TestClient(app)
    answers = [client.get("/", params={"cost": cost}) for cost in (2, 0, 1)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[1].json() == [0, True]
    assert not any("ratelimit" in name for name in answers[1].headers)


@pytest.mark.parametrize("option", ["cost", "identify", "tier"])
@pytest.mark.parametrize("wrong", [1.5, b"x", ["a"], {}])
def test_a_wrong_answer_names_its_option(option: str, wrong: Any) -> None:
    def answer(_: Any) -> Any:
        return wrong

    async def slow_answer(_: Any) -> Any:
        return wrong

    for function in (answer, slow_answer, functools.partial(answer)):
        limiter = FixedWindow(5, 60)
        app = RateLimitMiddleware(hello, limiter=limiter, **{option: function})
        with pytest.raises(TypeError, match=rf"^{option} must"):
            get(app)
        assert limiter.statistics().admitted == 0


@pytest.mark.parametrize(
    ("option", "wrong", "text"),
    [
        ("cost", "1", "cost must be an int, but the function cost= returned str '1'"),
        ("cost", True, "cost must be an int, but the function cost= returned bool True"),
        ("cost", -1, "cost must be an int from 0, but the function cost= returned -1"),
        ("identify", 7, "identify must return a str or None, got int"),
    ],
)
def test_a_wrong_answer_names_its_option_in_a_dependency(
    option: str, wrong: Any, text: str
) -> None:
    app = FastAPI()
    options: dict[str, Any] = {option: lambda _: wrong}

    @app.get("/", dependencies=[rate_limit(5, 60, **options)])
    async def root() -> None: ...

    with pytest.raises((TypeError, ValueError), match=text):
        TestClient(app).get("/")
