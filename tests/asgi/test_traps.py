"""Ways to take a request down, or a connection, that are closed."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import Any

import pytest
import trio
from prometheus_client import CollectorRegistry

from asgi_calls import call, get, hello, scope_of
from redis_servers import Server
from scrapes import requests, scraped
from sluicegate import FixedWindow
from sluicegate import redis as in_redis
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.hooks import Details

TEXT = {"type": "websocket.receive", "text": "x"}


def limited(app: Any, **options: Any) -> RateLimitMiddleware:
    return RateLimitMiddleware(app, tiers={"free": (9, 60)}, **options)


def sent_types(app: Any, messages: int) -> list[str]:
    answer = asyncio.run(call(app, kind="websocket", messages=[TEXT] * messages))
    return [message["type"] for message in answer.sent]


@pytest.mark.parametrize(
    "last",
    [{"type": "websocket.close", "code": 1000}, {"type": "websocket.http.response.start"}],
    ids=lambda message: message["type"],
)
def test_a_connection_that_the_app_has_closed_is_not_closed_again(last: dict[str, Any]) -> None:
    received: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(last)
        received.extend([(await receive())["type"] for _ in range(3)])

    limiter = FixedWindow(1, 60)
    assert sent_types(limited(app, messages=limiter), 3) == [last["type"]]
    assert received == ["websocket.receive"] * 2 + ["websocket.disconnect"]
    assert limiter.statistics().refused == 0


def test_it_is_closed_once_also_while_the_decision_takes_its_time() -> None:
    """The app closes in one task while another one's message is being decided."""

    class Slow:
        limit, window_seconds = 1, 60

        def __init__(self) -> None:
            self.go = asyncio.Event()
            self.real = FixedWindow(1, 60)

        async def check(self, key: str, cost: int = 1) -> Any:
            await self.go.wait()
            return self.real.check(key, cost)

        async def peek(self, key: str, cost: int = 1) -> Any:
            return self.real.peek(key, cost)

    async def main(app_closes: bool) -> list[str]:
        slow = Slow()
        sent: list[str] = []

        async def receive() -> Any:
            return TEXT

        async def send(message: Any) -> None:
            sent.append(message["type"])

        async def app(scope: Any, receive: Any, send: Any) -> None:
            receiving = [asyncio.create_task(receive()) for _ in range(3)]
            await asyncio.sleep(0)
            if app_closes:
                await send({"type": "websocket.close"})
            slow.go.set()
            await asyncio.gather(*receiving)
            await send({"type": "websocket.close"})

        middleware = limited(app, messages=slow)
        await middleware(scope_of(kind="websocket"), receive, send)
        return sent

    assert asyncio.run(main(app_closes=True)) == ["websocket.close"] * 2  # both are the app's own
    assert asyncio.run(main(app_closes=False)) == ["websocket.close"]


def test_a_client_that_goes_while_it_is_refused_is_no_error_of_the_apps() -> None:
    received: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        received.extend([await receive() for _ in range(3)])

    async def main() -> None:
        async def receive() -> Any:
            return TEXT

        async def send(message: Any) -> None:
            raise OSError("the client has gone")

        await limited(app, messages=(1, 60))(scope_of(kind="websocket"), receive, send)

    asyncio.run(main())
    assert [message["type"] for message in received] == [
        "websocket.receive",
        "websocket.disconnect",
        "websocket.disconnect",
    ]
    assert received[1]["code"] == 1008


# Trio


def test_limits_in_redis_refuse_to_start_under_trio(redis_server: Server) -> None:
    """With `hypercorn -k trio` each request was a 500 that said nothing."""
    started: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        started.append("app")

    def answers(run: Any, middleware: Any) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []

        async def receive() -> Any:
            return {"type": "lifespan.startup"}

        async def send(message: Any) -> None:
            sent.append(message)

        async def main() -> None:
            await middleware({"type": "lifespan"}, receive, send)

        run(main)
        return sent

    url = redis_server.url
    for options in (
        {"redis": url},
        {"messages": in_redis.FixedWindow(url, 9, 60)},
        {"concurrency": in_redis.ConcurrencyLimiter(url, 9)},
    ):
        refused = answers(trio.run, limited(app, **options))
        assert [message["type"] for message in refused] == ["lifespan.startup.failed"]
        assert "use `-k asyncio` or `-k uvloop`" in refused[0]["message"]
        assert started == []
    for run, options in ((trio.run, {}), (lambda main: asyncio.run(main()), {"redis": url})):
        assert answers(run, limited(app, **options)) == [{"type": "lifespan.startup.complete"}]
    assert started == ["app"] * 2


@pytest.mark.parametrize(
    "ask",
    [
        lambda url: call(limited(hello, redis=url)),
        lambda url: call(limited(hello, redis=url, concurrency=1)),
        lambda url: in_redis.TokenBucket(url, 1, 1).check("a"),
        lambda url: in_redis.FixedWindow(url, 1, 1).peek("a"),
        lambda url: in_redis.FixedWindow(url, 1, 1).wait("a"),
        lambda url: in_redis.FixedWindow(url, 1, 1).ping(),
        lambda url: in_redis.ConcurrencyLimiter(url, 1).try_acquire("a"),
        lambda url: in_redis.ConcurrencyLimiter(url, 1).in_use("a"),
    ],
)
def test_what_is_in_redis_says_under_trio_what_to_do(ask: Any) -> None:
    with pytest.raises(RuntimeError, match="limits in Redis need an asyncio event loop"):
        trio.run(ask, "redis://127.0.0.1:1")


def test_limits_in_memory_work_under_trio() -> None:
    app = limited(hello, concurrency=2, messages=(1, 60))

    async def main() -> list[int]:
        return [(await call(app)).status for _ in range(10)]

    assert trio.run(main) == [200] * 9 + [429]


# Functions that nobody awaits


async def coroutine_function(_: Any = None, *more: Any) -> str:
    return ""


class Object:
    async def __call__(self, _: Any = None) -> str:
        return ""

    async def method(self, _: Any = None) -> str:
        return ""


ASYNCHRONOUS = [
    coroutine_function,
    functools.partial(coroutine_function, None),
    Object(),
    functools.partial(Object()),
    functools.partial(functools.partial(Object().method)),
    Object().method,
]


@pytest.mark.parametrize("function", ASYNCHRONOUS)
@pytest.mark.parametrize("option", ["no_address", "endpoint", "algorithm"])
def test_a_function_that_must_be_plain_is_refused_when_it_is_not(
    function: Any, option: str
) -> None:
    with pytest.raises(TypeError, match=f"{option} must be a plain function"):
        limited(hello, **{option: function})


@pytest.mark.parametrize("function", ASYNCHRONOUS)
def test_also_in_a_dependency_and_in_hooks(function: Any) -> None:
    with pytest.raises(TypeError, match="no_address must be a plain function"):
        rate_limit(1, 60, no_address=function)
    with pytest.raises(TypeError, match="algorithm must be a plain function"):
        rate_limit(1, 60, algorithm=function)
    hook = type("Mine", (), {"on_refused": lambda self, details: None})()
    hook.on_admitted = function
    with pytest.raises(TypeError, match=r"hooks must have plain functions, but Mine\.on_admitted"):
        limited(hello, hooks=[hook])


def test_a_plain_partial_is_welcome() -> None:
    def key(prefix: str, scope: Any) -> str:
        return prefix

    app = limited(hello, no_address=functools.partial(key, "nobody"))
    assert get(app, peer=None).status == 200


# The name of what is called


def raising(_: Any) -> str:
    raise LookupError("which route?")


@pytest.mark.parametrize(
    ("endpoint", "error"),
    [
        (raising, "which route?"),
        (lambda _: 7, "endpoint must return a str, got int"),
        (lambda _: None, "endpoint must return a str, got NoneType"),
        (lambda scope: coroutine_function(scope), "endpoint must return a str, got coroutine"),
    ],
)
def test_a_name_that_fails_harms_no_request(
    endpoint: Any, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Details] = []

    class Listening:
        def on_refused(self, details: Details) -> None:
            told.append(details)

    registry = CollectorRegistry()
    app = RateLimitMiddleware(
        hello,
        tiers={"free": (2, 60)},
        endpoint=endpoint,
        metrics=registry,
        hooks=[Listening()],
    )
    with caplog.at_level(logging.ERROR, "sluicegate"):
        assert [get(app).status for _ in range(4)] == [200, 200, 429, 429]
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"other": 2}
    assert requests(samples, "rejected") == {"other": 2}
    assert [details.endpoint for details in told] == ["other"] * 2
    (record,) = caplog.records
    assert record.getMessage() == "endpoint= failed, so that its label is 'other'; logged once."
    assert error in caplog.text


def test_an_api_key_is_hidden_from_redis_whichever_limiter_is_there(redis_server: Server) -> None:
    url = redis_server.url
    app = RateLimitMiddleware(
        hello,
        tiers={"free": FixedWindow(9, 60), "paid": in_redis.FixedWindow(url, 9, 600)},
        tier=lambda _: "paid",
        verify=lambda key: key,
    )
    assert get(app, headers=[("x-api-key", "sk-very-secret")]).status == 200
    (name,) = redis_server.command("KEYS", "*")
    assert b"key:" in name
    assert b"secret" not in name
