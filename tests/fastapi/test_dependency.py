"""The middleware and the dependency in FastAPI and Starlette, in process and over HTTP."""

from __future__ import annotations

import contextvars
import time
from typing import Any

import httpx2
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from asgi_calls import get
from mounts import needs_included_mounts
from servers import serving
from sluicegate import ManualClock, SlidingWindowRateLimiter
from sluicegate.fastapi import RateLimitMiddleware, rate_limit


def test_article_1_program() -> None:
    # As the article writes it, with the class imported, and the `import time` it forgets.
    app = FastAPI()
    rate_limiter = SlidingWindowRateLimiter(max_requests=100, window_seconds=60)

    @app.middleware("http")
    async def rate_limit_middleware(request: Request, call_next: Any) -> Any:
        client_id = request.client.host  # type: ignore[union-attr]

        if not rate_limiter.is_allowed(client_id):
            remaining = rate_limiter.get_remaining(client_id)
            reset_time = rate_limiter.get_reset_time(client_id)

            return JSONResponse(
                status_code=429,
                content={
                    "error": "Too Many Requests",
                    "retry_after": int(reset_time - time.time()),
                    "remaining": remaining,
                },
                headers={
                    "X-RateLimit-Remaining": str(remaining),
                    "X-RateLimit-Reset": str(int(reset_time)),
                },
            )

        response = await call_next(request)
        return response

    @app.get("/")
    async def root() -> str:
        return "hello"

    client = TestClient(app)
    answers = [client.get("/") for _ in range(101)]
    assert [answer.status_code for answer in answers] == [200] * 100 + [429]
    refused = answers[-1].json()
    assert refused["remaining"] == 0
    assert 50 <= refused["retry_after"] <= 60
    assert abs(int(answers[-1].headers["X-RateLimit-Reset"]) - time.time() - 60) < 10


def test_article_2_programs() -> None:
    app = FastAPI()
    rate_limit_tiers = {"free": (100, 60), "basic": (1000, 60), "premium": (10000, 60)}
    app.add_middleware(RateLimitMiddleware, tiers=rate_limit_tiers)

    @app.get("/api/expensive-operation")
    async def expensive_operation(rate_info: dict = rate_limit(10, 60)):  # type: ignore[no-untyped-def,type-arg]
        """This endpoint has a stricter rate limit."""
        return {"status": "success", "rate_limit_remaining": rate_info["remaining"]}

    client = TestClient(app)
    answers = [client.get("/api/expensive-operation") for _ in range(12)]
    assert [answer.json().get("rate_limit_remaining") for answer in answers[:10]] == list(
        range(9, -1, -1)
    )
    assert [answer.status_code for answer in answers[10:]] == [429, 429]
    detail = answers[10].json()["detail"]
    assert detail["error"] == "Rate limit exceeded"
    assert str(detail["retry_after"]) == answers[10].headers["Retry-After"]
    # The endpoint's own limit speaks in X-RateLimit; the IETF's list names both.
    assert answers[0].headers.get_list("X-RateLimit-Limit") == ["10"]
    assert answers[0].headers["RateLimit-Policy"] == '"route";q=10;w=60, "free";q=100;w=60'
    # The two that the endpoint refused have cost the tier nothing.
    others = [client.get("/nothing") for _ in range(91)]
    assert [answer.status_code for answer in others] == [404] * 90 + [429]
    assert others[-1].json()["error"] == "Rate limit exceeded"
    # Segments, which the largest tier asks for, are a sixtieth of the window late at most.
    assert 50 <= others[-1].json()["retry_after"] <= 61


def hits(client: Any, method: str, path: str, times: int = 1) -> list[int]:
    return [client.request(method, path).status_code for _ in range(times)]


def test_one_key_an_endpoint_and_one_for_all_its_ids() -> None:
    app = FastAPI()
    limit = rate_limit(2, 60)

    @app.get("/users/{user_id}")
    @app.post("/users/{user_id}")
    async def user(user_id: int, info: Any = limit) -> None: ...

    @app.get("/users/{user_id}/posts")
    async def posts(user_id: int, info: Any = limit) -> None: ...

    @app.get("/items", dependencies=[limit])
    async def items() -> None: ...

    client = TestClient(app)
    assert hits(client, "GET", "/users/1") + hits(client, "GET", "/users/2") == [200, 200]
    assert hits(client, "GET", "/users/3") == [429]
    assert hits(client, "POST", "/users/3", 3) == [200, 200, 429]
    assert hits(client, "GET", "/users/1/posts", 3) == [200, 200, 429]
    assert hits(client, "GET", "/items?x=1", 2) + hits(client, "GET", "/items?x=2") == [
        200,
        200,
        429,
    ]


def test_head_counts_as_get() -> None:
    app = FastAPI()

    @app.api_route("/", methods=["GET", "HEAD"], dependencies=[rate_limit(2, 60)])
    async def root() -> None: ...

    client = TestClient(app)
    assert hits(client, "GET", "/") + hits(client, "HEAD", "/") + hits(client, "GET", "/") == [
        200,
        200,
        429,
    ]


def test_routers_keep_their_prefixes() -> None:
    app = FastAPI()
    router = APIRouter(prefix="/things", dependencies=[rate_limit(1, 60)])

    @router.get("/{thing_id}")
    async def thing(thing_id: str) -> None: ...

    outer = APIRouter(prefix="/outer")
    outer.include_router(router)
    app.include_router(router, prefix="/v1")
    app.include_router(router, prefix="/v2")
    app.include_router(outer, prefix="/v3")
    client = TestClient(app)
    for prefix in ("/v1", "/v2", "/v3/outer"):
        assert hits(client, "GET", f"{prefix}/things/a") + hits(
            client, "GET", f"{prefix}/things/b"
        ) == [200, 429]


def test_mounts_are_told_apart_by_template() -> None:
    sub = FastAPI()

    @sub.get("/x/{x_id}")
    async def x(x_id: int, info: Any = rate_limit(1, 60)) -> None: ...

    app = FastAPI()
    app.mount("/one", sub)
    app.mount("/two", sub)
    app.mount("/tenants/{tenant}", sub)
    app.mount("/clash/{x_id}", sub)
    client = TestClient(app)
    for mount in ("/one", "/two"):
        assert hits(client, "GET", f"{mount}/x/1") + hits(client, "GET", f"{mount}/x/2") == [
            200,
            429,
        ]
    # A parameter of a mount is part of the template; its value is not.
    for mount in ("/tenants", "/clash"):
        assert hits(client, "GET", f"{mount}/a/x/1") + hits(client, "GET", f"{mount}/b/x/2") == [
            200,
            429,
        ]


@needs_included_mounts
def test_a_mount_within_an_included_router() -> None:
    sub = FastAPI()

    @sub.get("/x")
    async def x(info: Any = rate_limit(1, 60)) -> None: ...

    router = APIRouter()
    router.mount("/{tenant}/deep", sub)
    app = FastAPI()
    app.include_router(router, prefix="/v1")
    client = TestClient(app)
    assert hits(client, "GET", "/v1/a/deep/x") == [200]
    assert hits(client, "GET", "/v1/b/deep/x") == [429]


def test_the_root_path_is_part_of_the_key() -> None:
    app = FastAPI()

    @app.get("/x")
    async def root(info: Any = rate_limit(1, 60)) -> None: ...

    for root_path in ("", "/one", "/two"):
        client = TestClient(app, root_path=root_path)
        assert hits(client, "GET", f"{root_path}/x", 2) == [200, 429]


def test_dependencies_of_an_app_and_two_limits_together() -> None:
    app = FastAPI(dependencies=[rate_limit(3, 60, name="all")])

    @app.get("/", dependencies=[rate_limit(2, 1, algorithm="token_bucket", name="burst")])
    async def root() -> None: ...

    client = TestClient(app)
    assert hits(client, "GET", "/", 3) == [200, 200, 429]


def test_costs_identities_and_headers_of_a_dependency() -> None:
    app = FastAPI()

    async def units(connection: HTTPConnection) -> int:
        return int(connection.query_params.get("units", 1))

    def who(connection: HTTPConnection) -> str | None:
        return connection.query_params.get("who")

    limit = rate_limit(5, 60, cost=units, identify=who, name="units")

    @app.get("/", dependencies=[limit])
    async def root() -> None: ...

    client = TestClient(app)
    first = client.get("/?who=a&units=3")
    assert first.headers["RateLimit"] == '"units";r=2;t=60'
    assert first.headers["X-RateLimit-Limit"] == "5"
    assert client.get("/?who=a&units=3").status_code == 429
    assert client.get("/?who=b&units=3").status_code == 200
    too_large = client.get("/?who=c&units=6")
    assert too_large.status_code == 413
    assert "Retry-After" not in too_large.headers


@pytest.mark.parametrize(
    ("arguments", "text"),
    [((0, 60), "limit"), ((1, 0), "window_seconds"), (("1", 60), "limit")],
)
def test_wrong_dependencies_fail_when_they_are_made(arguments: Any, text: str) -> None:
    with pytest.raises((ValueError, TypeError), match=text):
        rate_limit(*arguments)


@pytest.mark.parametrize("option", ["identify", "cost"])
def test_wrong_callables_fail_when_a_dependency_is_made(option: str) -> None:
    with pytest.raises(TypeError, match=f"^{option} must be callable, got 5"):
        rate_limit(1, 60, **{option: 5})  # type: ignore[arg-type]


def test_the_callables_get_a_connection() -> None:
    seen: list[Any] = []

    def tier(connection: HTTPConnection) -> str:
        seen.append(connection)
        return connection.headers.get("x-plan", "free")

    app = Starlette(routes=[Route("/", lambda request: PlainTextResponse("hi"))])
    app.add_middleware(RateLimitMiddleware, tiers={"free": (1, 60), "paid": (3, 60)}, tier=tier)
    client = TestClient(app)
    assert hits(client, "GET", "/", 2) == [200, 429]
    assert [client.get("/", headers={"x-plan": "paid"}).status_code for _ in range(3)] == [
        200,
        200,
        429,
    ]
    assert isinstance(seen[0], HTTPConnection)


request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="unset")


def test_context_variables_streams_and_background_tasks_are_untouched() -> None:
    done: list[str] = []

    async def stream(request: Request) -> StreamingResponse:
        async def parts() -> Any:
            for n in range(3):
                done.append(f"part {n}")
                yield f"{n}{request_id.get()};"

        return StreamingResponse(parts(), background=BackgroundTask(done.append, "background"))

    inner = Starlette(routes=[Route("/", stream)])

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        request_id.set("42")

        async def spy(message: Any) -> None:
            done.append(message["type"].removeprefix("http.response."))
            await send(message)

        await RateLimitMiddleware(inner, tiers={"free": (9, 60)})(scope, receive, spy)

    assert get(outer).body == b"042;142;242;"
    # Each part leaves before the next one is made, and the task runs last.
    assert done == [
        "start",
        "part 0",
        "body",
        "part 1",
        "body",
        "part 2",
        "body",
        "body",
        "background",
    ]


def test_over_real_http_and_retry_after_waited_for(clock: ManualClock) -> None:
    limiter = SlidingWindowRateLimiter(3, 60, clock=clock)
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, limiter=limiter)

    @app.get("/")
    async def root(info: Any = rate_limit(100, 60)) -> dict[str, int]:
        return {"remaining": info["remaining"]}

    with serving(app) as address, httpx2.Client(base_url=f"http://{address}") as client:
        answers = [client.get("/") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[0].json() == {"remaining": 99}
        clock.advance(int(answers[3].headers["Retry-After"]))
        assert client.get("/").status_code == 200


def test_ten_thousand_strange_requests_give_no_server_error() -> None:
    app = FastAPI()
    app.add_middleware(
        RateLimitMiddleware, tiers={"free": (50, 60)}, trusted_proxies=1, verify=lambda key: None
    )

    @app.get("/users/{user_id}")
    async def user(
        user_id: int, info: Any = rate_limit(5, 60), more: Any = Depends(lambda: 1)
    ) -> None: ...

    strange = [
        "",
        ",",
        '"',
        "for=",
        'for="[::1',
        "\xff",
        "1" * 9_000,
        "::ffff:1.2.3.4",
        "unknown",
        "[",
        "1.2.3.4:x",
    ]
    statuses = set()
    for value in strange:
        for name in ("x-forwarded-for", "forwarded", "x-api-key", "host"):
            for path in ("/users/1", "/users/x", "/users/%00", "/"):
                statuses.add(get(app, path, headers=[(name, value)]).status)
    assert statuses == {200, 404, 422, 429}
