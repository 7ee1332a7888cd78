"""WebSockets: refused handshakes, limited messages, in process and over a real server."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from asgi_calls import get
from servers import serving
from sluicegate import ManualClock, SlidingWindowRateLimiter
from sluicegate.asgi import RateLimitMiddleware as BareMiddleware
from sluicegate.fastapi import RateLimitMiddleware, rate_limit


async def accept(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", "headers": [(b"x-mine", b"1")]})


def test_the_accept_carries_the_headers(clock: ManualClock) -> None:
    limiter = SlidingWindowRateLimiter(2, 60, clock=clock)
    answer = get(BareMiddleware(accept, limiter=limiter), kind="websocket")
    assert answer.sent[0]["type"] == "websocket.accept"
    assert answer.headers["x-mine"] == "1"
    assert answer.headers["ratelimit"] == '"default";r=1;t=60'


def test_a_refused_handshake_is_closed_before_it_is_accepted(clock: ManualClock) -> None:
    app = BareMiddleware(accept, limiter=SlidingWindowRateLimiter(1, 60, clock=clock))
    get(app, kind="websocket")
    refused = get(app, kind="websocket")
    assert refused.sent == [
        {"type": "websocket.close", "code": 1008, "reason": "Rate limit exceeded"}
    ]


def test_a_server_that_can_is_given_the_whole_answer(clock: ManualClock) -> None:
    app = BareMiddleware(accept, limiter=SlidingWindowRateLimiter(1, 60, clock=clock))
    can = {"websocket.http.response": {}}
    get(app, kind="websocket", extensions=can)
    refused = get(app, kind="websocket", extensions=can)
    assert [message["type"] for message in refused.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]
    assert refused.status == 429
    assert refused.headers["retry-after"] == "60"
    assert json.loads(refused.body)["retry_after"] == 60


def an_app(**options: Any) -> FastAPI:
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, **options)

    @app.websocket("/echo/{room}")
    async def echo(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        try:
            while True:
                await websocket.send_text(await websocket.receive_text())
        except WebSocketDisconnect as gone:
            app.state.code = gone.code

    @app.websocket("/limited/{room}")
    async def limited(websocket: WebSocket, room: str, info: Any = rate_limit(1, 60)) -> None:
        await websocket.accept()
        await websocket.send_json(info["remaining"])
        await websocket.close()

    return app


def test_messages_are_limited(clock: ManualClock) -> None:
    messages = SlidingWindowRateLimiter(3, 60, clock=clock)
    app = an_app(tiers={"free": (100, 60)}, messages=messages)
    with TestClient(app) as client, client.websocket_connect("/echo/a") as socket:
        for n in range(3):
            socket.send_text(f"{n}")
            assert socket.receive_text() == f"{n}"
        socket.send_text("one too many")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert closed.value.code == 1008
    assert app.state.code == 1008
    assert messages.statistics().refused == 1


def test_a_dependency_on_a_websocket() -> None:
    app = an_app(tiers={"free": (100, 60)})
    with TestClient(app) as client:
        with client.websocket_connect("/limited/a") as socket:
            assert socket.receive_json() == 0
        with pytest.raises(Exception) as refused, client.websocket_connect("/limited/b"):  # noqa: PT011
            pass
        assert getattr(refused.value, "status_code", getattr(refused.value, "code", None)) in (
            429,
            1008,
        )


def test_over_a_real_server() -> None:
    app = an_app(tiers={"free": (3, 60)}, messages=(2, 60))
    with serving(app) as address:
        with connect(f"ws://{address}/echo/a") as socket:
            assert socket.response is not None
            assert socket.response.headers["RateLimit"] == '"free";r=2;t=60'
            socket.send("hello")
            assert socket.recv() == "hello"
        with connect(f"ws://{address}/limited/a") as socket:
            assert socket.recv() == "0"
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{address}/limited/b")
        assert refused.value.response.status_code == 429
        assert refused.value.response.headers["Retry-After"] == "60"
        with connect(f"ws://{address}/echo/a"):  # what the endpoint refused has cost nothing
            pass
        with pytest.raises(InvalidStatus) as refused:
            connect(f"ws://{address}/echo/a")
        assert refused.value.response.status_code == 429
        assert json.loads(refused.value.response.body or b"")["error"] == "Rate limit exceeded"
