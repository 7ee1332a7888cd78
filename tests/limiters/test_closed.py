"""``on_error="closed"``: nobody decided, and the client is not to blame."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry

from asgi_calls import Answer, call, get, hello
from redis_servers import Server
from scrapes import requests, scraped
from sluicegate import ConcurrencyLimiter, Decision
from sluicegate import redis as in_redis
from sluicegate.asgi import RateLimitMiddleware, problem_refusal
from sluicegate.fastapi import rate_limit
from sluicegate.hooks import Details
from sluicegate.refusals import Refusal

GUESS = "Rate limits cannot be checked at the moment"


@pytest.fixture
def gone(start: Any) -> str:
    """The URL of a server that was there."""
    server = start(Server)
    server.kill()
    url: str = server.url
    return url


def closed(url: str, **options: Any) -> RateLimitMiddleware:
    given = {"tiers": {"free": (5, 600)}, "redis": url, "on_error": "closed", **options}
    return RateLimitMiddleware(hello, **given)


def names_of(answer: Answer) -> set[str]:
    return {name for name in answer.headers if "ratelimit" in name}


def test_a_guess_is_a_503_without_a_quota(gone: str) -> None:
    answer = get(closed(gone))
    assert answer.status == 503
    assert answer.headers["retry-after"] == "1"
    assert names_of(answer) == set()
    assert json.loads(answer.body) == {"error": GUESS, "retry_after": 1}
    refusal = answer.scope["sluicegate.refusal"]
    assert (refusal.unavailable, refusal.status, refusal.policy) == (True, 503, "free")
    assert refusal.decision.store == "closed"


def test_a_limiter_that_was_made_beforehand_is_no_other(gone: str) -> None:
    limiter = in_redis.FixedWindow(gone, 5, 600, on_error="closed")
    answer = get(RateLimitMiddleware(hello, limiter=limiter, refusal=problem_refusal))
    assert answer.status == 503
    assert json.loads(answer.body) == {
        "type": "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
        "title": "Request cannot be satisfied due to temporary server capacity constraints",
        "retry_after": 1,
        "status": 503,
        "detail": GUESS,
    }


def test_the_status_is_an_option_and_only_a_guess_has_it(redis_server: Server) -> None:
    app = closed(redis_server.url, closed_status=529, tiers={"free": (1, 600)}, remember=False)

    async def main() -> list[Answer]:
        answers = [await call(app), await call(app)]
        redis_server.kill()
        return [*answers, await call(app)]

    admitted, refused, guessed = asyncio.run(main())
    assert (admitted.status, refused.status, guessed.status) == (200, 429, 529)
    assert refused.headers["x-ratelimit-remaining"] == "0"
    assert json.loads(refused.body)["error"] == "Rate limit exceeded"
    assert names_of(guessed) == set()


def test_a_cost_above_the_limit_is_the_clients_fault_still(gone: str) -> None:
    assert get(closed(gone, cost=lambda _: 6)).status == 413


def test_an_unknown_api_key_and_a_shadow(gone: str) -> None:
    app = closed(gone, verify=lambda _: None, closed_status=500)
    assert get(app, headers=[("x-api-key", "junk")]).status == 500
    assert get(closed(gone, shadow=True)).status == 200


@pytest.mark.parametrize("made", [False, True])
def test_permits_in_redis(gone: str, made: bool) -> None:
    permits = in_redis.ConcurrencyLimiter(gone, 2, on_error="closed") if made else 2
    app = closed(gone, concurrency=permits, closed_status=504)
    answer = get(app)
    assert (answer.status, answer.headers["retry-after"]) == (504, "1")
    assert json.loads(answer.body)["error"] == GUESS
    refusal = answer.scope["sluicegate.refusal"]
    assert (refusal.policy, refusal.limit, refusal.decision.store) == ("concurrency", 2, "closed")


def test_permits_that_are_all_taken_are_still_a_429(redis_server: Server) -> None:
    permits = in_redis.ConcurrencyLimiter(redis_server.url, 1, on_error="closed", timeout=5)

    class Mine(in_redis.ConcurrencyLimiter):
        async def try_acquire(self, key: str) -> None:
            return None

    app = closed(redis_server.url, concurrency=permits, timeout=5)
    overridden = closed(redis_server.url, concurrency=Mine(redis_server.url, 1), timeout=5)

    async def main() -> list[int]:
        held = await permits.try_acquire("ip:192.0.2.1")
        assert held is not None
        answers = [await call(app)]
        await held.release()
        return [answer.status for answer in [*answers, await call(app), await call(overridden)]]

    assert asyncio.run(main()) == [429, 200, 429]


@pytest.mark.parametrize("can", [True, False])
def test_handshakes(gone: str, can: bool) -> None:
    options: Any = {"extensions": {"websocket.http.response": {}}} if can else {}
    answer = get(closed(gone), kind="websocket", **options)
    if can:
        assert answer.status == 503
        assert names_of(answer) == set()
    else:
        assert answer.sent == [{"type": "websocket.close", "code": 1013, "reason": GUESS}]


def test_messages_are_closed_with_try_again_later(gone: str) -> None:
    app = FastAPI()
    app.add_middleware(
        RateLimitMiddleware,
        limiter=ConcurrentlyFree(),
        redis=gone,
        on_error="closed",
        messages=(5, 60),
    )

    @app.websocket("/")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                await socket.send_text(await socket.receive_text())

    with TestClient(app) as client, client.websocket_connect("/") as socket:
        socket.send_text("hello")
        with pytest.raises(WebSocketDisconnect) as ended:
            socket.receive_text()
    assert (ended.value.code, ended.value.reason) == (1013, GUESS)


class ConcurrentlyFree:
    """A limiter that always admits."""

    limit, window_seconds = 5, 60

    def check(self, key: str, cost: int = 1) -> Decision:
        return Decision(True, 5, 4, 0.0, 60.0, 60.0)

    peek = check


@pytest.mark.parametrize("status", [503, 599])
def test_the_dependency(gone: str, status: int) -> None:
    limit = rate_limit(5, 60, redis=gone, on_error="closed", closed_status=status)
    app = FastAPI()

    @app.get("/", dependencies=[limit])
    async def root() -> None: ...

    @app.websocket("/ws", dependencies=[limit])
    async def chat(socket: WebSocket) -> None: ...

    client = TestClient(app)
    answer = client.get("/")
    assert answer.status_code == status
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == {"detail": {"error": GUESS, "retry_after": 1}}
    assert not any("ratelimit" in name for name in answer.headers)
    refused = get(app, "/ws", kind="websocket", messages=[{"type": "websocket.connect"}])
    assert refused.sent == [{"type": "websocket.close", "code": 1013, "reason": GUESS}]


def test_metrics_and_hooks_tell_the_two_apart(redis_server: Server) -> None:
    told: list[Details] = []

    class Listening:
        def on_refused(self, details: Details) -> None:
            told.append(details)

    registry = CollectorRegistry()
    app = closed(
        redis_server.url,
        tiers={"free": (1, 600)},
        concurrency=ConcurrencyLimiter(5),
        remember=False,
        metrics=registry,
        hooks=[Listening()],
        timeout=1,
    )
    permits = closed("redis://127.0.0.1:1", concurrency=1, metrics=registry, hooks=[Listening()])

    async def main() -> None:
        for _ in range(2):
            await call(app)
        redis_server.kill()
        for _ in range(3):
            await call(app)
        await call(permits)

    asyncio.run(main())
    samples = scraped(registry)
    assert requests(samples, "allowed") == {"": 1}
    assert requests(samples, "rejected") == {"": 1}
    assert requests(samples, "unavailable") == {"": 4}
    assert samples["rate_limit_decisions_total", "rejected", "redis", "free"] == 1
    assert samples["rate_limit_decisions_total", "rejected", "closed", "free"] == 4
    assert ("rate_limit_decisions_total", "rejected", "memory", "free") not in samples
    assert [details.store for details in told] == ["redis", "closed", "closed", "closed", "closed"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, ValueError), (600, ValueError), ("503", TypeError), (True, TypeError)],
)
def test_a_status_that_is_none_is_refused(status: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="closed_status must be an int"):
        RateLimitMiddleware(hello, tiers={"free": (1, 60)}, closed_status=status)
    with pytest.raises(kind, match="closed_status must be an int"):
        rate_limit(1, 60, closed_status=status)


def test_a_refusal_says_which_it_is() -> None:
    guess = Decision(False, 5, 0, 1.0, 1.0, 1.0, "closed")
    decided = Decision(False, 5, 0, 1.0, 1.0, 1.0, "redis")
    assert Refusal("free", 5, 1, 1, guess).status == 503
    assert Refusal("free", 5, 1, 1, guess, 500).status == 500
    assert Refusal("free", 5, 1, 1, decided).status == 429
    assert Refusal("free", 5, 6, None, guess).status == 413
    assert not Refusal("free", 5, 1, 1, None).unavailable
