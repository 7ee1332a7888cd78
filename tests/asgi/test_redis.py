"""The middleware and the dependency with their limits in Redis."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.testclient import TestClient

from redis_servers import Server
from sluicegate.fastapi import RateLimitMiddleware, rate_limit
from sluicegate.redis import FixedWindow, TokenBucket


def an_app(**options: object) -> FastAPI:
    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, **options)  # type: ignore[arg-type]

    @app.get("/")
    async def root() -> str:
        return "fine"

    return app


ALGORITHMS = [
    "sliding_window",
    "segmented_window",
    "sliding_counter",
    "fixed_window",
    "token_bucket",
]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_two_processes_worth_of_apps_share_a_tier(redis_server: Server, algorithm: str) -> None:
    apps = [
        an_app(
            tiers={"free": (3, 600), "rich": (3, 600)}, redis=redis_server.url, algorithm=algorithm
        )
        for _ in range(2)
    ]
    statuses: list[int] = []
    for app in apps * 2:
        with TestClient(app) as client:
            answer = client.get("/")
            statuses.append(answer.status_code)
            assert answer.headers["x-ratelimit-limit"] == "3"
    assert statuses == [200, 200, 200, 429]
    assert int(answer.headers["retry-after"]) >= 1
    names = redis_server.command("KEYS", "*")
    assert [name.startswith(b"sluicegate:tier:") for name in names] == [True]


PLANS = {"free": "5/hour", "premium": "50/hour"}


def left(client: TestClient, tier: str, path: str = "/", **params: int) -> int | None:
    """What is left after a request, or ``None`` when it is refused."""
    answer = client.get(path, params={"tier": tier, **params})
    assert answer.status_code in (200, 429)
    return int(answer.headers["x-ratelimit-remaining"]) if answer.status_code == 200 else None


def by_plan(url: str, **options: object) -> FastAPI:
    options = {"tiers": PLANS, **options}
    return an_app(redis=url, tier=lambda request: request.query_params["tier"], **options)


@pytest.mark.parametrize("algorithm", [None, *ALGORITHMS])
@pytest.mark.parametrize("first", ["free", "premium"])
def test_a_client_who_changes_plan_keeps_what_was_spent(
    redis_server: Server, algorithm: str | None, first: str
) -> None:
    tiers = dict(sorted(PLANS.items(), key=lambda item: item[0] != first))
    with TestClient(by_plan(redis_server.url, algorithm=algorithm, tiers=tiers)) as client:
        assert [left(client, "free") for _ in range(6)] == [4, 3, 2, 1, 0, None]
        assert [left(client, "premium") for _ in range(2)] == [44, 43]
        assert left(client, "free") is None
    assert len(redis_server.command("KEYS", "*")) == 1
    with TestClient(by_plan(redis_server.url, algorithm=algorithm, tiers=tiers)) as client:
        assert left(client, "premium") == 42


def test_tiers_of_another_window_or_unit_count_apart(redis_server: Server) -> None:
    tiers = {
        "free": "1/hour",
        "daily": "1/day",
        "tokens": "1 tokens/hour",
        "calendar": "1/day in UTC",
        "burst": "1/hour burst 1",
    }
    with TestClient(by_plan(redis_server.url, tiers=tiers)) as client:
        for tier in tiers:
            assert [left(client, tier) for _ in range(2)] == [0, None]
    keys = {key.split(b":{")[0] for key in redis_server.command("KEYS", "*")}
    assert keys == {
        b"sluicegate:tier:sliding_log:3600",
        b"sluicegate:tier:sliding_log:86400",
        b"sluicegate:tier:sliding_log:3600:tokens",
        b"sluicegate:tier:fixed_window:day_in_UTC",
        b"sluicegate:tier:token_bucket",
    }


def test_a_renamed_tier_and_a_plan_of_a_function_keep_what_was_spent(
    redis_server: Server,
) -> None:
    def spend(tiers: Any, name: str, **options: object) -> int | None:
        app = by_plan(redis_server.url, tiers=tiers, algorithm="sliding_window", **options)
        with TestClient(app) as client:
            return left(client, name)

    assert spend({"free": "5/hour"}, "free") == 4
    assert spend({"basic": "6/hour"}, "basic") == 4
    assert spend({"default": "1/hour", "gold": "9/hour"}.get, "gold") == 6
    assert spend({"free": "5/hour"}, "free", prefix="another") == 4


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_later_refusal_gives_back_more_than_the_limiters_own_quota(
    redis_server: Server, algorithm: str
) -> None:
    app = by_plan(
        redis_server.url,
        algorithm=algorithm,
        cost=lambda request: int(request.query_params.get("cost", 1)),
    )

    @app.get("/report", dependencies=[rate_limit(1, 3600, redis=redis_server.url)])
    async def report() -> None: ...

    with TestClient(app) as client:
        assert left(client, "premium", "/report", cost=9) is not None
        assert left(client, "premium", "/report", cost=9) is None  # by the endpoint's limit
        assert left(client, "premium") == 50 - 9 - 1


def test_without_a_server_each_tier_has_its_own_quota() -> None:
    with Server() as server:
        url = server.url
    with TestClient(by_plan(url)) as client:
        assert [left(client, "free") for _ in range(6)] == [4, 3, 2, 1, 0, None]
        assert left(client, "premium") == 44


def test_a_limiter_in_redis_goes_where_one_in_memory_goes(redis_server: Server) -> None:
    app = an_app(limiter=FixedWindow(redis_server.url, 2, 600), cost=lambda _: 2)
    with TestClient(app) as client:
        assert [client.get("/").status_code for _ in range(2)] == [200, 429]


def test_an_api_key_is_not_told_to_redis(redis_server: Server) -> None:
    app = an_app(tiers={"free": (5, 600)}, redis=redis_server.url, verify=lambda key: key)
    with TestClient(app) as client:
        assert client.get("/", headers={"x-api-key": "sk-very-secret"}).status_code == 200
    names = b" ".join(redis_server.command("KEYS", "*"))
    assert b"key:" in names
    assert b"secret" not in names


def test_a_principal_may_have_any_text_as_its_id(redis_server: Server) -> None:
    app = an_app(
        tiers={"free": (1, 600)}, redis=redis_server.url, verify=lambda key: f"\ud800{key}"
    )
    with TestClient(app) as client:
        statuses = [client.get("/", headers={"x-api-key": key}).status_code for key in "aab"]
    assert statuses == [200, 429, 200]


@pytest.mark.parametrize("name", ["\ud800", "ü" * 40, "ü" * 100])
def test_a_tier_is_refused_for_its_name_and_not_for_its_prefix(name: str) -> None:
    with pytest.raises(ValueError, match="name must be printable ASCII"):
        RateLimitMiddleware(FastAPI(), tiers={name: (1, 600)}, redis="redis://localhost")


def test_the_dependency_counts_by_route_in_redis(redis_server: Server) -> None:
    app = FastAPI()
    limited = rate_limit(2, 600, redis=redis_server.url)

    @app.get("/users/{user_id}")
    async def user(user_id: int, info: dict[str, float] = limited) -> dict[str, float]:
        return info

    @app.get("/other", dependencies=[limited])
    async def other() -> str:
        return "fine"

    with TestClient(app) as client:
        assert client.get("/users/1").json()["remaining"] == 1
        assert [client.get(f"/users/{number}").status_code for number in (2, 3)] == [200, 429]
        assert client.get("/other").status_code == 200


def test_a_dead_server_does_not_take_the_site_down() -> None:
    with Server() as server:
        url = server.url
    app = an_app(tiers={"free": (2, 600)}, redis=url)
    with TestClient(app) as client:
        assert [client.get("/").status_code for _ in range(3)] == [200, 200, 429]


def test_websocket_messages_are_counted_in_redis(redis_server: Server) -> None:
    app = FastAPI()
    app.add_middleware(
        RateLimitMiddleware, tiers={"free": (10, 600)}, redis=redis_server.url, messages=(2, 600)
    )

    @app.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        with suppress(WebSocketDisconnect):
            while True:
                await socket.send_text(await socket.receive_text())

    with TestClient(app) as client, client.websocket_connect("/ws") as socket:
        for _ in range(2):
            socket.send_text("hello")
            assert socket.receive_text() == "hello"
        socket.send_text("hello")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 1008


@pytest.mark.parametrize("algorithm", [lambda *_: None, partial(FixedWindow)])
def test_an_algorithm_of_ones_own_is_refused_with_redis(algorithm: Any) -> None:
    with pytest.raises(TypeError, match="algorithm must be a name or a class"):
        RateLimitMiddleware(
            FastAPI(), tiers={"a": (1, 1)}, redis="redis://localhost", algorithm=algorithm
        )


@pytest.mark.parametrize("algorithm", [FixedWindow, TokenBucket])
def test_an_algorithm_in_redis_needs_redis(algorithm: Any) -> None:
    with pytest.raises(TypeError, match="algorithm must not be"):
        rate_limit(1, 60, algorithm=algorithm)


def test_limits_of_one_endpoint_count_apart_by_name_and_by_algorithm(redis_server: Server) -> None:
    url = redis_server.url
    others = [
        rate_limit(6, 600, redis=url, name="router"),
        rate_limit(6, 600, redis=url, algorithm="fixed_window"),
    ]
    app = FastAPI()
    for number, other in enumerate(others):

        @app.get(f"/tea/{number}", dependencies=[rate_limit(6, 600, redis=url), other])
        async def tea() -> str:
            return "fine"

    with TestClient(app) as client:
        for number in range(2):
            statuses = [client.get(f"/tea/{number}").status_code for _ in range(9)]
            assert statuses == [200] * 6 + [429] * 3
