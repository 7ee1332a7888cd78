"""Where the options of the web layer meet: each of them is right also beside the others."""

from __future__ import annotations

import asyncio
import threading
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from litestar import Litestar
from litestar import get as route
from litestar.middleware import DefineMiddleware

from asgi_calls import call, get, hello
from key_calls import with_key
from sluicegate import FixedWindow, ManualClock
from sluicegate import redis as in_redis
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.identity import ClientAddress, Principal, VerifiedKeys

NOWHERE = "redis://127.0.0.1:1"


def limited(app: Any = hello, **options: Any) -> Any:
    return RateLimitMiddleware(app, **{"tiers": {"free": (3, 60)}, **options})


class Bucket(in_redis.TokenBucket):
    """One of the user's own."""


@pytest.mark.parametrize("kind", [in_redis.TokenBucket, Bucket])
def test_a_bucket_in_redis_as_algorithm_fills_up_in_the_window(kind: Any) -> None:
    app = limited(tiers={"free": (10, 60)}, algorithm=partial(kind, NOWHERE))
    limiter = app._policy.enforcer.tiers.default.limiter
    assert (limiter.limit, limiter.window_seconds) == (10, 60)


def litestar(middleware: Any) -> Any:
    def handler(path: str) -> Any:
        @route(path, sync_to_thread=False)
        def answer() -> str:
            return "fine"

        return answer

    handlers = [handler(f"/{name}") for name in "abcd"]
    return Litestar(handlers, middleware=[middleware], openapi_config=None)


@pytest.mark.parametrize(("key", "most"), [("junk {}", 3), ("good", 1)])
def test_look_ups_are_counted_once_for_all_handlers(key: str, most: int) -> None:
    asked: list[str] = []

    def verify(given: str) -> Principal | None:
        asked.append(given)
        return Principal("alice") if given == "good" else None

    app = litestar(DefineMiddleware(RateLimitMiddleware, tiers={"free": (3, 60)}, verify=verify))
    for number in range(5):
        for name in "abcd":
            get(app, f"/{name}", **with_key(key.format(f"{number}{name}")))
    assert len(asked) == most


def test_an_empty_name_is_nobody() -> None:
    asked: list[str] = []

    def verify(key: str) -> str:
        asked.append(key)
        return ""

    app = limited(verify=verify)
    errors = 0
    for number in range(50):
        try:
            get(app, **with_key(f"junk {number}"))
        except TypeError as error:
            assert "got an empty str" in str(error)
            errors += 1
    assert errors == len(asked) == 3
    with pytest.raises(ValueError, match="id must name whom a key belongs to"):
        Principal("")


def test_valid_keys_in_several_event_loops_are_all_served() -> None:
    async def verify(key: str) -> Principal:
        await asyncio.sleep(0.01)
        return Principal(key, "paid")

    app = limited(tiers={"free": (3, 60), "paid": (100, 60)}, verify=verify)
    statuses: list[int] = []

    async def main(name: str) -> None:
        calls = [call(app, **with_key(f"{name} {number}")) for number in range(5)]
        statuses.extend(answer.status for answer in await asyncio.gather(*calls))

    threads = [threading.Thread(target=lambda name=name: asyncio.run(main(name))) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 15


def test_the_clock_is_also_that_of_look_ups() -> None:
    asked: list[str] = []
    clock = ManualClock()
    app = limited(verify=asked.append, clock=clock)
    for number in range(9):
        get(app, **with_key(f"junk {number}"))
    assert len(asked) == 3
    clock.advance(61)
    get(app, **with_key("junk"))
    assert len(asked) == 4
    keys = VerifiedKeys(asked.append, clock=clock)
    assert limited(verify=keys)._policy.enforcer.keys is keys


def test_a_call_that_is_not_charged_needs_no_server() -> None:
    app = FastAPI()

    @app.get("/")
    async def free(
        quota: dict[str, Any] = rate_limit(
            3, 60, redis=NOWHERE, on_error="raise", cost=lambda request: 0
        ),
    ) -> dict[str, Any]:
        return quota

    answer = get(app)
    assert answer.status == 200


def test_redis_that_nothing_is_made_with_is_refused() -> None:
    with pytest.raises(TypeError, match="redis= means nothing here"):
        RateLimitMiddleware(hello, limiter=FixedWindow(3, 60), redis=NOWHERE)


@pytest.mark.parametrize(
    "inner", [{"shadow": True}, {"headers": ()}, {"headers": "ietf"}, {"cost": lambda _: 0}]
)
def test_the_outer_limit_is_told_where_the_inner_one_is_silent(inner: dict[str, Any]) -> None:
    app = limited(limited(tiers={"inner": (100, 60)}, **inner), tiers={"outer": (50, 60)})
    assert get(app).headers["x-ratelimit-limit"] == "50"


def test_the_outer_limit_is_told_beside_an_endpoints_own_response() -> None:
    app = FastAPI()

    @app.get("/", dependencies=[rate_limit(10, 60)])
    async def own() -> JSONResponse:
        return JSONResponse({})

    assert get(limited(app)).headers["x-ratelimit-limit"] == "3"


def test_no_address_names_itself_when_it_gives_no_key() -> None:
    address: Any = ClientAddress(no_address=lambda scope: None)  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="no_address must return a str, got NoneType"):
        address({"type": "http", "client": None})


def test_a_request_that_is_handed_to_a_second_app_is_a_new_one() -> None:
    """As by what tries one app after the other: neither is within the other."""
    spent = FixedWindow(9, 600)
    apps = [limited(tiers={"free": spent}), limited(tiers={"free": (1, 600)})]

    async def both(scope: Any, receive: Any, send: Any) -> None:
        async def nowhere(message: Any) -> None: ...

        await apps[0](scope, receive, nowhere)
        await apps[1](scope, receive, send)

    answers = [get(both), get(both)]
    assert [answer.status for answer in answers] == [200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"free";q=1;w=600'
    assert spent.peek("ip:192.0.2.1").remaining == 7
