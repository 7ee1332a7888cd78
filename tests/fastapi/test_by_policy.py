"""``rate_limit(policy=...)``: a policy's rules at endpoints that no middleware limits."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI, HTTPException, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from asgi_calls import get
from sluicegate import Gate, Limit, ManualClock
from sluicegate.fastapi import RateLimitMiddleware, problem_refusal, rate_limit
from sluicegate.policy import Policy, Rule


def an_app(policy: Policy, *, middleware: Policy | None = None, **options: Any) -> FastAPI:
    app = FastAPI(**options)
    if middleware is not None:
        app.add_middleware(RateLimitMiddleware, policy=middleware)

    @app.post("/login/{status}")
    async def login(status: int, info: dict[str, Any] = rate_limit(policy=policy)) -> Any:
        if status == 500:
            raise LookupError
        if status >= 400:
            raise HTTPException(status)
        return info

    @app.get("/open")
    async def free() -> None: ...

    @app.get("/twice", dependencies=[rate_limit(policy=policy)])
    async def twice(info: dict[str, Any] = rate_limit(policy=policy)) -> Any:
        return info

    @app.websocket("/socket")
    async def socket(socket: WebSocket, _: Any = rate_limit(policy=policy)) -> None:
        await socket.accept()
        await socket.close()

    return app


def client_of(app: FastAPI) -> TestClient:
    return TestClient(app, client=("192.0.2.1", 1), raise_server_exceptions=False)


def test_an_endpoint_is_limited_as_by_a_middleware(clock: ManualClock) -> None:
    policy = Policy(
        {"free": "9/minute"},
        rules=[Rule("POST /login/{status}", "2/minute", name="login"), Rule("/other", "1/minute")],
        refusal=problem_refusal,
        clock=clock,
    )
    client = client_of(an_app(policy))
    assert [client.get("/open").status_code for _ in range(12)] == [200] * 12
    first = client.post("/login/200")
    assert first.json() == {"remaining": 1, "reset_at": 60.0}
    assert first.headers["ratelimit"] == '"login/minute";r=1;t=60, "free/minute";r=8;t=60'
    assert client.post("/login/200").status_code == 200
    refused = client.post("/login/200")
    assert refused.status_code == 429
    assert refused.headers["retry-after"] == "60"
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["violated-policies"] == ["login/minute"]
    assert client.get("/twice").json()["remaining"] == 6  # charged once, not twice
    with client.websocket_connect("/socket"):
        pass
    for _ in range(5):
        client.get("/twice")
    with pytest.raises(WebSocketDenialResponse) as denied, client.websocket_connect("/socket"):
        pass
    assert denied.value.status_code == 429


def test_what_its_rules_do_not_match_is_untouched(clock: ManualClock) -> None:
    client = client_of(an_app(Policy(rules=[Rule("/other", "1/minute")], clock=clock)))
    answers = [client.post("/login/200") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "ratelimit" not in answers[0].headers
    assert answers[0].json()["remaining"] == 2**32 - 1


def test_it_is_settled_by_what_the_endpoint_answers(clock: ManualClock) -> None:
    rule = Rule("/login/*", "3/minute", name="login", counts="failures")
    client = client_of(an_app(Policy(rules=[rule], clock=clock)))
    assert [client.post("/login/200").status_code for _ in range(9)] == [200] * 9
    statuses = [client.post("/login/401").status_code for _ in range(4)]
    assert statuses == [401, 401, 401, 429]
    clock.advance(60)
    statuses = [client.post("/login/500").status_code for _ in range(4)]
    assert statuses == [500, 500, 500, 429]


def test_it_is_held(clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "1/second", delay=5)], clock=clock)
    app = FastAPI()

    @app.get("/", dependencies=[rate_limit(policy=policy)])
    async def root() -> None: ...

    assert [get(app).scope["sluicegate.delay"] for _ in range(3)] == [0, 1, 2]


def test_a_middleware_of_the_policy_has_limited_it_already(clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "5/minute", name="all")], clock=clock)
    client = client_of(an_app(policy, middleware=policy))
    assert client.post("/login/200").json()["remaining"] == 4
    assert client.get("/twice").json()["remaining"] == 3


def test_behind_another_middleware_it_gives_back(clock: ManualClock) -> None:
    outer = Policy(rules=[Rule("*", "9/minute", name="outer")], clock=clock)
    inner = Policy(rules=[Rule("*", "1/minute", name="inner")], clock=clock)
    client = client_of(an_app(inner, middleware=outer))
    answers = [client.post("/login/200") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 429]
    assert client.get("/open").headers["ratelimit"] == '"outer/minute";r=7;t=60'
    assert answers[0].headers["ratelimit"] == '"inner/minute";r=0;t=60, "outer/minute";r=8;t=60'


def test_functions_of_rules_get_a_request(clock: ManualClock) -> None:
    policy = Policy(
        rules=[Rule("*", "9/minute", by="org", name="a", cost=lambda r: int(r.query_params["n"]))],
        keys={"org": lambda request: request.headers.get("x-org")},
        clock=clock,
    )
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, policy=policy)

    @app.get("/")
    async def root() -> None: ...

    client = client_of(app)
    answer = client.get("/?n=4", headers={"X-Org": "acme"})
    assert answer.headers["ratelimit"] == '"a/minute";r=5;t=60'
    assert "ratelimit" not in client.get("/?n=4").headers
    assert client.get("/?n=10", headers={"X-Org": "acme"}).status_code == 413


def test_in_shadow_it_refuses_nobody(clock: ManualClock) -> None:
    policy = Policy(rules=[Rule("*", "1/minute")], shadow=True, clock=clock)
    client = client_of(an_app(policy))
    assert [client.post("/login/200").status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Policy({"a": "1/minute"}, messages="1/second"), "messages= means nothing at an endpoint"),
        (Policy({"a": "1/minute"}, concurrency=5), "concurrency= gives permits, and only the"),
        (
            Policy(rules=[Rule("*", "1/minute; 2 concurrent")]),
            r"rules\[0\] has permits \('2 concurrent'\), and only the middleware knows",
        ),
        (
            Policy(limiter=Gate([Limit("2 concurrent")])),
            "the tier 'default' has permits",
        ),
        ("limits", "policy must be a Policy, got 'limits'"),
    ],
)
def test_a_policy_that_only_a_middleware_can_enforce(policy: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        rate_limit(policy=policy)


def test_it_stands_for_all_other_options() -> None:
    policy = Policy(rules=[Rule("*", "1/minute")])
    with pytest.raises(TypeError, match="leave out limit="):
        rate_limit("1/minute", policy=policy)
    with pytest.raises(TypeError, match="leave out name="):
        rate_limit(policy=policy, name="x")
    with pytest.raises(
        TypeError, match="missing limit, a quota such as '10/minute', or else policy="
    ):
        rate_limit()
