"""Limits of endpoints that are several: of one text, and gates that are given."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from sluicegate import Gate, Limit, ManualClock
from sluicegate.fastapi import RateLimitMiddleware, rate_limit

ME = "ip:192.0.2.1"


def client_of(app: FastAPI) -> TestClient:
    return TestClient(app, client=("192.0.2.1", 4000))


def app_of(*dependencies: Any, **middleware: Any) -> FastAPI:
    app = FastAPI()
    if middleware:
        app.add_middleware(RateLimitMiddleware, **middleware)

    @app.get("/", dependencies=list(dependencies))
    async def root() -> None: ...

    @app.get("/other", dependencies=list(dependencies))
    async def other() -> None: ...

    return app


def org_of(request: Request) -> str | None:
    return request.headers.get("x-org")


def test_several_windows_are_one_decision(clock: ManualClock) -> None:
    client = client_of(app_of(rate_limit("2/second; 3/minute", clock=clock)))
    answers = [client.get("/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert (
        answers[0].headers["ratelimit-policy"] == '"route/second";q=2;w=1, "route/minute";q=3;w=60'
    )
    assert answers[2].headers["ratelimit"] == '"route/second";r=0;t=1, "route/minute";r=1;t=60'
    assert answers[2].headers["retry-after"] == "1"
    assert client.get("/other").status_code == 200  # counted apart
    clock.advance(1)
    answers = [client.get("/") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["retry-after"] == "59"
    assert answers[1].headers["x-ratelimit-limit"] == "3"


def test_it_tells_what_is_left_of_the_limit_that_decides(clock: ManualClock) -> None:
    app = FastAPI()

    @app.get("/")
    async def root(left: dict = rate_limit("9/second; 3/minute", clock=clock)) -> Any:  # type: ignore[type-arg]
        return left["remaining"]

    @app.get("/free")
    async def free(
        left: dict = rate_limit("9/second; 3/minute", clock=clock, cost=lambda _: 0),  # type: ignore[type-arg]
    ) -> Any:
        return left["remaining"]

    client = client_of(app)
    assert [client.get("/").json() for _ in range(3)] == [2, 1, 0]
    assert client.get("/free").json() == 9  # all shares are whole, so that the first decides


def test_a_cost_by_units() -> None:
    costs = iter([{"tokens": 900}, {"tokens": 101}, {"tokens": 1001}, {"tokens": 100}])
    limit = rate_limit("9/second; 1000 tokens/minute", cost=lambda _: next(costs), name="chat")
    client = client_of(app_of(limit))
    answers = [client.get("/") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 413, 200]
    assert '"chat/tokens/minute";r=0;t=60' in answers[3].headers["ratelimit"]
    with pytest.raises(
        ValueError, match=r"^rate_limit: it counts tokens beside requests: give cost="
    ):
        rate_limit("9/second; 1000 tokens/minute")


def test_a_gate_is_shared_by_the_endpoints_that_have_it(clock: ManualClock) -> None:
    gate = Gate(
        [Limit("3/second", by="client"), Limit("4/minute", by="org")], name="chat", clock=clock
    )
    client = client_of(app_of(rate_limit(gate, keys={"org": org_of})))
    paths = ["/", "/other", "/", "/other"]
    assert [client.get(path, headers={"x-org": "acme"}).status_code for path in paths] == [
        200,
        200,
        200,
        429,
    ]
    assert gate.peek({"client": ME, "org": "acme"}).limits["org/minute"].remaining == 1
    clock.advance(1)
    answers = [client.get("/", headers={"x-org": "acme"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[1].headers["ratelimit"] == '"client/second";r=2;t=1, "org/minute";r=0;t=59'
    assert client.get("/").status_code == 200  # of no organisation


def test_what_a_later_limit_refuses_is_given_back_to_every_limit(clock: ManualClock) -> None:
    outer = Gate("50/second; 99/day", clock=clock)
    first = Gate([Limit("8/second", by="client"), Limit("9/minute", by="org")], clock=clock)
    app = app_of(
        rate_limit(first, keys={"org": org_of}),
        rate_limit("7/second; 1/hour", name="last", clock=clock),
        limiter=outer,
    )
    client = client_of(app)
    answers = [client.get("/", headers={"x-org": "acme"}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 429, 429]
    assert [each.remaining for each in outer.peek(ME).limits.values()] == [49, 98]
    left = first.peek({"client": ME, "org": "acme"}).limits
    assert [each.remaining for each in left.values()] == [7, 8]
    assert answers[1].headers["ratelimit"] == (
        '"client/second";r=6;t=1, "org/minute";r=7;t=60, "last/second";r=6;t=1, '
        '"last/hour";r=0;t=3600, "key/second";r=48;t=1, "key/day";r=97;t=86400'
    )
    assert answers[1].headers["x-ratelimit-limit"] == "1"
    assert len(answers[1].headers.get_list("ratelimit")) == 1


def test_behind_a_middleware_it_has_its_store_and_its_client(clock: ManualClock) -> None:
    app = app_of(
        rate_limit("2/second; 3/minute"),
        tiers={"free": "50/second; 99/day"},
        identify=lambda request: request.headers.get("x-user"),
        clock=clock,
    )
    client = client_of(app)
    assert [client.get("/", headers={"x-user": "ada"}).status_code for _ in range(3)] == [
        200,
        200,
        429,
    ]
    assert client.get("/", headers={"x-user": "bob"}).status_code == 200
    clock.advance(1)
    assert client.get("/", headers={"x-user": "ada"}).status_code == 200


def test_a_shadow_watches_the_gates_of_endpoints_too() -> None:
    gate = Gate("1/second; 9/day")
    app = app_of(rate_limit(gate), tiers={"free": "50/second"}, shadow=True)
    client = client_of(app)
    answers = [client.get("/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "ratelimit" not in answers[0].headers
    assert gate.statistics().refused == 2


@pytest.mark.parametrize(
    ("limit", "options", "text"),
    [
        ("5/s; 9/s", {}, "^rate_limit: there may be one quota for each window"),
        ("5/s; 9 concurrent", {}, "^rate_limit: quota '9 concurrent'"),
        ("5/s; 9/m", {"window": 5}, "^limit must be an int beside a window"),
        ("5/s; 9/m", {"keys": {"org": org_of}}, "^keys must be of what .*there is no gate"),
        (Gate(Limit("5/s", by="org")), {"keys": {"team": org_of}}, "^keys must be of .*'team'"),
        (
            Gate([Limit("5/s", by="org"), Limit("5/s", by="client")]),
            {},
            r"^rate_limit: a limit of the gate counts by 'org', .*keys=\{'org'",
        ),
        (Gate("5/s; 9/m"), {"window": 5}, "^limit must be an int beside a window"),
        (Gate("5/s; 9/m"), {"redis": "redis://x"}, "^redis= means nothing here: the gate"),
        (Gate("5/s; 9/m"), {"algorithm": "fixed_window"}, "^algorithm= means nothing here"),
    ],
)
def test_what_is_wrong_is_named(limit: Any, options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        rate_limit(limit, **options)
