"""The quota's fields on whatever an endpoint with ``rate_limit`` answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import http_sfv
import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, Response, WebSocket
from fastapi.responses import (
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    StreamingResponse,
)
from fastapi.testclient import TestClient
from starlette.exceptions import HTTPException as StarletteHTTPException

import asgi_calls
from servers import serving
from sluicegate.fastapi import RateLimitMiddleware, rate_limit

X = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
LIMIT = 10


def names(headers: Any, field: str = "ratelimit") -> list[str]:
    """The names in a list of the IETF's, each of which is there once."""
    parsed = http_sfv.List()
    parsed.parse(headers[field].encode())
    found = [item.value for item in parsed]
    assert len(set(found)) == len(found)
    return found


def app_with(*dependencies: Any, **middleware: Any) -> FastAPI:
    """Endpoints that answer in all the ways there are; with a middleware if one is described."""
    app = FastAPI()
    if middleware:
        app.add_middleware(RateLimitMiddleware, **middleware)
    router = APIRouter(dependencies=[*dependencies])

    @router.get("/value")
    async def value() -> dict[str, str]:
        return {}

    @router.get("/response")
    async def response() -> Response:
        return JSONResponse({})

    @router.get("/sync")
    def synchronous() -> Response:
        return PlainTextResponse("fine")

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"fine"

        return StreamingResponse(parts())

    @router.get("/http-exception")
    async def http_exception() -> None:
        raise HTTPException(404, "gone", {"x-own": "1"})

    @router.get("/starlette-exception")
    def starlette_exception() -> None:
        raise StarletteHTTPException(418)

    @router.get("/invalid")
    async def invalid(number: int) -> None: ...

    @router.get("/redirect")
    async def redirect() -> Response:
        return RedirectResponse("/value")

    @router.get("/redirect-exception")
    async def redirect_exception() -> None:
        raise HTTPException(307, headers={"location": "/value"})

    @router.get("/own")
    async def own() -> Response:
        return JSONResponse({}, headers={"X-RateLimit-Limit": "5000"})

    @router.get("/own-value")
    async def own_value(response: Response) -> None:
        response.headers["X-RateLimit-Limit"] = "5000"

    app.include_router(router)
    return app


def get(app: Any, path: str) -> Any:
    return TestClient(app, follow_redirects=False).get(path).headers


ANSWERS = [
    *("/value", "/response", "/sync", "/stream"),
    *("/http-exception", "/starlette-exception", "/invalid"),
]


@pytest.mark.parametrize("path", ANSWERS)
def test_every_answer_keeps_the_endpoints_fields(path: str) -> None:
    headers = get(app_with(rate_limit(LIMIT, 60), tiers={"free": (100, 60)}), path)
    assert [headers.get_list(name) for name in X[:2]] == [["10"], ["9"]]
    assert names(headers) == names(headers, "ratelimit-policy") == ["route", "free"]


@pytest.mark.parametrize("silent", [{"exempt": lambda _: True}, {"cost": lambda _: 0}])
@pytest.mark.parametrize("path", ANSWERS)
def test_so_it_does_under_a_silent_middleware(path: str, silent: dict[str, Any]) -> None:
    headers = get(app_with(rate_limit(LIMIT, 60), tiers={"free": (100, 60)}, **silent), path)
    assert [headers.get_list(name) for name in X[:2]] == [["10"], ["9"]]
    assert names(headers) == ["route"]


@pytest.mark.parametrize("path", ANSWERS)
def test_no_middleware_is_needed(path: str) -> None:
    headers = get(app_with(rate_limit(LIMIT, 60), rate_limit(20, 60)), path)
    assert [headers.get_list(name) for name in X[:2]] == [["10"], ["9"]]
    assert names(headers) == names(headers, "ratelimit-policy") == ["route", "route-2"]
    assert headers.get("x-own") == ("1" if path == "/http-exception" else None)


def test_nor_is_one_in_front_of_a_mounted_app() -> None:
    app = FastAPI()
    app.mount("/below", app_with(rate_limit(LIMIT, 60)))
    headers = get(app, "/below/response")
    assert headers.get_list("x-ratelimit-limit") == ["10"]


@pytest.mark.parametrize("path", ["/value", "/response"])
def test_a_starlette_that_sends_otherwise(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluicegate.fastapi.answering.cell_of_send", lambda _: None)
    app = app_with(rate_limit(LIMIT, 60), rate_limit(1, 60))
    told, refused = get(app, path), get(app, path)
    if path == "/value":  # FastAPI hands on the fields of a dependency with a value alone
        assert told.get_list("x-ratelimit-limit") == ["1"]
        assert names(told) == ["route", "route-2"]
    assert refused.get_list("retry-after") == ["60"]
    assert refused.get_list("cache-control") == ["no-store"]
    assert names(refused) == ["route", "route-2"]


@pytest.mark.parametrize("middleware", [{}, {"tiers": {"free": (100, 60)}}])
@pytest.mark.parametrize("path", ["/redirect", "/redirect-exception"])
def test_a_redirection_tells_of_no_quota(path: str, middleware: dict[str, Any]) -> None:
    headers = get(app_with(rate_limit(LIMIT, 60), **middleware), path)
    assert headers["location"] == "/value"
    assert not any("ratelimit" in name for name in headers)


@pytest.mark.parametrize("middleware", [{}, {"tiers": {"free": (100, 60)}}])
@pytest.mark.parametrize("path", ["/own", "/own-value"])
def test_an_endpoints_own_numbers_stand_alone(path: str, middleware: dict[str, Any]) -> None:
    headers = get(app_with(rate_limit(LIMIT, 60), **middleware), path)
    assert headers.get_list("x-ratelimit-limit") == ["5000"]
    assert "x-ratelimit-remaining" not in headers
    assert names(headers) == ["route", *middleware.get("tiers", ())]


def test_the_smallest_share_left_speaks() -> None:
    headers = get(app_with(rate_limit(100, 60), rate_limit(3, 60), rate_limit(50, 60)), "/value")
    assert [headers.get_list(name) for name in X[:2]] == [["3"], ["2"]]
    assert names(headers) == ["route", "route-2", "route-3"]
    headers = get(app_with(rate_limit(100, 60), tiers={"free": (3, 60)}), "/value")
    assert headers.get_list("x-ratelimit-limit") == ["3"]


@pytest.mark.parametrize("middleware", [{}, {"tiers": {"free": (100, 60)}}])
def test_a_refusal_tells_of_the_limit_that_refuses_and_of_all(middleware: dict[str, Any]) -> None:
    app = app_with(rate_limit(50, 60, name="app"), rate_limit(1, 60), **middleware)
    get(app, "/value")
    headers = get(app, "/value")
    assert [headers.get_list(name) for name in X[:2]] == [["1"], ["0"]]
    assert headers.get_list("retry-after") == ["60"]
    assert headers.get_list("cache-control") == ["no-store"]
    assert names(headers) == ["app", "route", *middleware.get("tiers", ())]


@pytest.mark.parametrize("middleware", [{}, {"tiers": {"free": (100, 60)}, "cors": "*"}])
def test_a_script_can_read_a_refusal(middleware: dict[str, Any]) -> None:
    app = app_with(rate_limit(1, 60), **middleware)
    client = TestClient(app, headers={"Origin": "https://app.example"})
    client.get("/value")
    headers = client.get("/value").headers
    (exposed,) = headers.get_list("access-control-expose-headers")
    assert {"retry-after", "ratelimit", *X} <= {name.strip().lower() for name in exposed.split(",")}
    if middleware:
        assert headers.get_list("access-control-allow-origin") == ["*"]


@pytest.mark.parametrize("middleware", [{}, {"tiers": {"free": (100, 60)}}])
def test_an_accepted_websocket_tells_of_its_limit(middleware: dict[str, Any]) -> None:
    app = app_with(**middleware)

    @app.websocket("/ws", dependencies=[rate_limit(LIMIT, 60)])
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    answer = asgi_calls.get(app, "/ws", kind="websocket", messages=[{"type": "websocket.connect"}])
    assert answer.headers["x-ratelimit-limit"] == "10"


def test_an_apps_own_answer_to_a_refusal_is_readable() -> None:
    app = app_with(rate_limit(1, 60), tiers={"free": (100, 60)}, cors=["https://app.example"])

    @app.exception_handler(HTTPException)
    async def own(request: Request, error: HTTPException) -> Response:
        return PlainTextResponse("slow down", error.status_code, error.headers)

    client = TestClient(app, headers={"Origin": "https://app.example"})
    client.get("/value")
    answer = client.get("/value")
    assert (answer.status_code, answer.text) == (429, "slow down")
    assert answer.headers.get_list("access-control-allow-origin") == ["https://app.example"]
    assert answer.headers.get_list("vary") == ["Origin"]
    assert answer.headers.get_list("retry-after") == ["60"]
    assert answer.headers.get_list("x-ratelimit-limit") == ["1"]


def test_a_limit_of_a_dependency_and_its_own_response() -> None:
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, tiers={"free": (100, 60)})

    async def user(info: dict[str, Any] = rate_limit(5, 60, name="user")) -> None: ...

    @app.get("/", dependencies=[Depends(user), rate_limit(50, 60)])
    async def root() -> Response:
        return JSONResponse({})

    headers = get(app, "/")
    assert headers.get_list("x-ratelimit-limit") == ["5"]
    assert names(headers) == ["user", "route", "free"]


def test_over_a_real_server() -> None:
    import http.client

    app = app_with(rate_limit(LIMIT, 60), tiers={"free": (100, 60)})
    with serving(app) as address:
        connection = http.client.HTTPConnection(address, timeout=10)
        for path in ("/response", "/http-exception", "/stream"):
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            lines = [(name.lower(), value) for name, value in answer.getheaders()]
            told = [name for name, _ in lines if "ratelimit" in name]
            assert sorted(told) == sorted([*X, "ratelimit-policy", "ratelimit"])
            assert ("x-ratelimit-limit", "10") in lines
        connection.close()
