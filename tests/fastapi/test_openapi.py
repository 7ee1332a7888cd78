"""The OpenAPI document shows the 429 at every endpoint that a limit covers, and nowhere else."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from starlette.testclient import TestClient

from sluicegate import Quota
from sluicegate.fastapi import (
    FixedRefusal,
    RateLimitMiddleware,
    describe_limits,
    problem_refusal,
    rate_limit,
)
from sluicegate.policy import Rule

ALL = {
    "Retry-After",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit-Policy",
    "RateLimit",
}


def documented(app: FastAPI) -> dict[tuple[str, str], Any]:
    """The 429 of each operation; ``None`` where there is none."""
    paths = app.openapi()["paths"]
    return {
        (method, path): operation["responses"].get("429")
        for path, item in paths.items()
        for method, operation in item.items()
    }


def nothing() -> dict:
    return {}


def with_limits() -> FastAPI:
    app = FastAPI()
    router = APIRouter(prefix="/v1")

    def nested(info: dict = rate_limit("3/minute")) -> int:
        return 1

    @router.get("/limited/{number}")
    def limited(number: int, info: dict = rate_limit("5/minute")) -> dict:
        return {}

    @router.post("/limited/{number}")
    def free(number: int) -> dict:
        return {}

    @router.put("/deep", dependencies=[Depends(nested)])
    def deep() -> dict:
        return {}

    @app.get("/own", responses={429: {"description": "mine"}})
    def own(info: dict = rate_limit("5/minute", headers="ietf")) -> dict:
        return {}

    app.include_router(router, prefix="/api")
    return app


def test_endpoints_with_a_limit_of_their_own() -> None:
    shown = documented(with_limits())
    assert shown["post", "/api/v1/limited/{number}"] is None
    for key in (("get", "/api/v1/limited/{number}"), ("put", "/api/v1/deep")):
        assert set(shown[key]["headers"]) == ALL
        schema = shown[key]["content"]["application/json"]["schema"]
        assert schema["required"] == ["detail"]
    assert shown["get", "/own"] == {"description": "mine"}


def test_all_of_a_router_that_has_a_limit() -> None:
    app = FastAPI(dependencies=[rate_limit("5/minute", headers=())])

    @app.get("/a")
    def a() -> dict:
        return {}

    assert set(documented(app)["get", "/a"]["headers"]) == {"Retry-After"}


@pytest.mark.parametrize("runs", [False, True], ids=["written to a file", "served"])
def test_a_middleware_covers_all_that_is_not_exempt(runs: bool) -> None:
    app = with_limits()
    app.add_middleware(
        RateLimitMiddleware,
        tiers={"free": Quota("100/minute")},
        exempt=["/own", "/api/v1/deep"],
        refusal=problem_refusal,
        headers="ietf",
    )
    if runs:
        with TestClient(app) as client:
            assert client.get("/openapi.json").status_code == 200
    shown = documented(app)
    for method in ("get", "post"):
        refusal = shown[method, "/api/v1/limited/{number}"]
        assert set(refusal["headers"]) == {"Retry-After", "RateLimit-Policy", "RateLimit"}
        assert list(refusal["content"]) == ["application/problem+json"]
    assert shown["put", "/api/v1/deep"]["content"].keys() == {"application/json"}  # its own limit's
    assert shown["get", "/own"] == {"description": "mine"}


def test_rules_cover_what_they_match() -> None:
    rules = [
        Rule("/free/*", exempt=True),
        Rule("GET /a/{id}", "1/minute"),
        Rule("//api.example.com/c", "1/minute"),
        Rule("/d", "1/minute", tier="paid"),
    ]
    app = FastAPI()

    def nothing() -> dict:
        return {}

    for path in ("/a/{number}", "/free/b", "/c", "/d", "/e"):
        for method in ("GET", "POST"):
            app.add_api_route(path, nothing, methods=[method], operation_id=method + path)
    app.add_middleware(RateLimitMiddleware, rules=rules)
    limited = {key for key, refusal in documented(app).items() if refusal is not None}
    expected = {("get", "/a/{number}")}
    expected |= {(method, path) for method in ("get", "post") for path in ("/c", "/d")}
    assert limited == expected


def test_an_endpoint_is_described_by_the_rules_that_cover_it() -> None:
    rules = [
        Rule("/problem", "1/minute", refusal="problem", headers="ietf"),
        Rule("/both", "1/minute", refusal="problem", headers=()),
        Rule("/both", "2/minute", name="second", headers="ietf"),
        Rule("/own", "1/minute", refusal=with_limits()),
        Rule("/watched", "1/minute", shadow=True),
    ]
    app = FastAPI()
    for path in ("/problem", "/both", "/own", "/watched"):
        app.add_api_route(path, nothing, operation_id=path)
    app.add_middleware(RateLimitMiddleware, rules=rules)
    shown = {path: refusal for (_, path), refusal in documented(app).items()}
    kinds = {path: set(refusal.get("content", ())) for path, refusal in shown.items() if refusal}
    json, problem = "application/json", "application/problem+json"
    assert kinds == {"/problem": {problem}, "/both": {json, problem}, "/own": set()}
    ietf = {"Retry-After", "RateLimit-Policy", "RateLimit"}
    assert set(shown["/problem"]["headers"]) == set(shown["/both"]["headers"]) == ietf
    assert TestClient(app).get("/problem").status_code == 200
    answer = TestClient(app).get("/problem")
    assert answer.status_code == 429
    assert answer.headers["content-type"] == problem
    assert shown["/watched"] is None


def test_another_status_is_described_as_such() -> None:
    rules = [
        Rule(
            "/a", "1/minute", refusal=FixedRefusal(503, "<p>Busy</p>", "text/html; charset=utf-8")
        ),
        Rule("/a", "2/minute", name="second"),
        Rule("/b", "1/minute", refusal=FixedRefusal(499)),
    ]
    app = FastAPI()
    for path in ("/a", "/b"):
        app.add_api_route(path, nothing, operation_id=path)
    app.add_middleware(RateLimitMiddleware, rules=rules)
    paths = app.openapi()["paths"]
    a, b = (paths[path]["get"]["responses"] for path in ("/a", "/b"))
    assert {status: [*answer.get("content", ())] for status, answer in a.items()} == {
        "200": ["application/json"],
        "429": ["application/json"],
        "503": ["text/html"],
    }
    assert (a["503"]["description"], b["499"]["description"]) == ("Service Unavailable", "Refused")
    assert [*b] == ["200", "499"]
    answers = [TestClient(app).get("/a") for _ in range(2)]
    assert (answers[1].status_code, answers[1].text) == (503, "<p>Busy</p>")


def test_nothing_is_described_of_a_policy_that_only_watches() -> None:
    app = FastAPI()
    app.add_api_route("/a", nothing)
    app.add_middleware(RateLimitMiddleware, tiers={"free": "1/minute"}, shadow=True)
    assert documented(app) == {("get", "/a"): None}


def test_what_is_served_is_what_is_written_and_describes_the_answer() -> None:
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, tiers={"free": "1/minute"})

    @app.get("/a")
    def a() -> dict:
        return {}

    with TestClient(app) as client:
        told = client.get("/openapi.json").json()["paths"]["/a"]["get"]["responses"]["429"]
        answer = client.get("/a")
    assert answer.status_code == 429
    names = {name.lower() for name in told["headers"]}
    assert names <= set(answer.headers)
    schema = told["content"]["application/json"]["schema"]
    assert set(answer.json()) == set(schema["properties"])


def test_a_function_of_ones_own_is_described_where_it_is_asked_for() -> None:
    app = with_limits()
    plain = app.openapi()["paths"]
    for item in plain.values():
        for operation in item.values():
            operation["responses"].pop("429", None)
    app.openapi = lambda: {"paths": plain}  # type: ignore[method-assign]
    assert not any(documented(app).values())
    describe_limits(app)
    describe_limits(app)
    assert documented(app)["put", "/api/v1/deep"] is not None
    with pytest.raises(TypeError, match="app must be a FastAPI app, got int 1"):
        describe_limits(1)  # type: ignore[arg-type]


def test_a_document_is_there_whatever_an_app_is_made_of(caplog: pytest.LogCaptureFixture) -> None:
    app = with_limits()
    app.user_middleware = [object()]  # type: ignore[list-item]
    assert "/own" in app.openapi()["paths"]
    assert "could not be shown" in caplog.text


def test_apps_without_limits_are_as_they_were() -> None:
    app = FastAPI()

    @app.get("/a")
    def a() -> dict:
        return {}

    assert documented(app) == {("get", "/a"): None}
