"""Traps of the middleware and the dependency: floods of keys, shared messages, mounted values."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Host

from asgi_calls import call, get, hello
from mounts import needs_included_mounts
from sluicegate import Decision, ManualClock, SlidingWindowRateLimiter, TokenBucket
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import RateLimitMiddleware as FrameworkMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.identity import Principal

TIERS = {"free": (10, 60), "premium": (1000, 60)}
RIGHT = [("x-api-key", "right")]


class Keys:
    """A database of one API key that counts its look-ups."""

    def __init__(self) -> None:
        self.asked = 0

    async def __call__(self, key: str) -> Principal | None:
        self.asked += 1
        await asyncio.sleep(0)
        return Principal("alice", "premium") if key == "right" else None


class Remote:
    """A limiter that answers later, as one over a network does."""

    def __init__(self, limiter: SlidingWindowRateLimiter) -> None:
        self.limiter = limiter
        self.limit = limiter.limit
        self.window_seconds = limiter.window_seconds

    async def check(self, key: str, cost: int = 1) -> Decision:
        for _ in range(3):
            await asyncio.sleep(0)
        return self.limiter.check(key, cost)

    async def peek(self, key: str, cost: int = 1) -> Decision:
        await asyncio.sleep(0)
        return self.limiter.peek(key, cost)


async def premium_for_anybody(scope: Any) -> str:
    for _ in range(3):
        await asyncio.sleep(0)
    return "premium"


def flood(app: Any, at_once: bool) -> int:
    """How many of 300 requests with random keys got through."""

    async def run() -> list[int]:
        calls = [call(app, headers=[("X-API-Key", f"random {n}")]) for n in range(300)]
        if at_once:
            return [answer.status for answer in await asyncio.gather(*calls)]
        return [(await one).status for one in calls]

    return asyncio.run(run()).count(200)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {"tiers": TIERS, "tier": premium_for_anybody},
        {"limiter": Remote(SlidingWindowRateLimiter(10, 60))},
    ],
    ids=["tier", "remote"],
)
def test_random_keys_stay_in_the_default_tier(options: dict[str, Any], at_once: bool) -> None:
    keys = Keys()
    if "limiter" in options:
        options = {"limiter": Remote(SlidingWindowRateLimiter(10, 60))}
    assert flood(RateLimitMiddleware(hello, verify=keys, **options), at_once) == 10
    assert keys.asked == 10


@pytest.mark.parametrize(("cost", "admitted"), [(6, 1), (50, 0)])
def test_unknown_keys_of_any_cost_get_no_more_look_ups(cost: int, admitted: int) -> None:
    keys = Keys()
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=keys, cost=lambda scope: cost)
    assert flood(app, at_once=False) == admitted
    assert keys.asked == 10


def test_a_verified_key_may_cost_more_than_the_default_tier_allows() -> None:
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=Keys(), cost=lambda scope: 50)
    assert get(app, headers=RIGHT).headers["ratelimit"] == '"premium";r=950;t=60'
    assert get(app, headers=[("x-api-key", "wrong")]).status == 413


@pytest.mark.parametrize("cost", ["1", None, 1.5, True, -1])
def test_a_wrong_cost_is_named_with_a_key_too(cost: Any) -> None:
    app = RateLimitMiddleware(hello, tiers=TIERS, verify=Keys(), cost=lambda scope: cost)
    with pytest.raises((TypeError, ValueError), match="cost must be an int"):
        get(app, headers=RIGHT)


def test_a_verified_key_comes_before_a_login() -> None:
    class User:
        is_authenticated = True
        identity = "bob"

    app = RateLimitMiddleware(hello, tiers=TIERS, verify=Keys())
    answer = get(app, user=User(), headers=RIGHT)
    assert answer.headers["ratelimit-policy"].startswith('"premium"')


def test_a_message_sent_twice_does_not_collect_headers() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [(b"x-mine", b"1")]}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    limited = RateLimitMiddleware(app, tiers=TIERS)
    assert len(get(limited).sent[0]["headers"]) == len(get(limited).sent[0]["headers"]) == 6
    assert start["headers"] == [(b"x-mine", b"1")]


@pytest.mark.parametrize("origin", [[], [("origin", "https://app.example")]])
def test_headers_that_can_be_read_once_are_kept(origin: list[tuple[str, str]]) -> None:
    """ASGI asks for an iterable, no more."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        status = 307 if scope["path"] == "/away" else 200
        mine = iter([(b"x-mine", b"1")])
        await send({"type": "http.response.start", "status": status, "headers": mine})
        await send({"type": "http.response.body", "body": b""})

    async def no(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    limited = RateLimitMiddleware(app, tiers={"free": (2, 60)}, refusal=no)
    for path in ("/away", "/", "/"):
        assert get(limited, path, headers=origin).headers["x-mine"] == "1"


def test_after_a_refusal_t_is_retry_after(clock: ManualClock) -> None:
    bucket = TokenBucket(capacity=60, refill_rate=1, clock=clock)
    bucket.check("ip:192.0.2.1", 60)
    refused = get(RateLimitMiddleware(hello, limiter=bucket))
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["ratelimit"] == '"default";r=0;t=1'


WORDS = [{"type": "websocket.connect"}] + [{"type": "websocket.receive", "text": "x"}] * 3


def test_shadow_counts_messages_too() -> None:
    messages = SlidingWindowRateLimiter(1, 60)
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend([(await receive())["type"] for _ in range(4)])
        await send({"type": "websocket.close"})

    limited = RateLimitMiddleware(app, tiers=TIERS, messages=messages, shadow=True)
    get(limited, kind="websocket", messages=WORDS)
    assert seen == ["websocket.connect"] + ["websocket.receive"] * 3
    assert messages.statistics().refused == 2


def test_nothing_is_sent_after_one_message_too_many() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert [(await receive())["type"] for _ in range(4)] == [
            "websocket.connect",
            "websocket.receive",
            "websocket.disconnect",
            "websocket.disconnect",
        ]
        with pytest.raises(OSError, match="too many messages"):
            await send({"type": "websocket.send", "text": "still here"})
        await send({"type": "websocket.close"})

    limited = RateLimitMiddleware(app, tiers=TIERS, messages=(1, 60))
    answer = get(limited, kind="websocket", messages=WORDS)
    assert [message["type"] for message in answer.sent] == ["websocket.close"]


def test_exempt_paths_lie_below_the_root_path_and_nowhere_else() -> None:
    app = RateLimitMiddleware(hello, tiers=TIERS, exempt=["/health", "/static/*"])
    assert "ratelimit" not in get(app, "/api/health", root_path="/api").headers
    assert "ratelimit" not in get(app, "/static/a..b").headers
    assert "ratelimit" in get(app, "/static/../admin").headers
    assert "ratelimit" in get(app, "/apihealth", root_path="/api").headers


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"exempt": 5}, "exempt must hold paths or be a callable, got 5"),
        ({"exempt": ["/a*"]}, "exempt may have"),
        ({"exempt": ["/health\u200b"]}, "exempt has '.*200b', which cannot be seen"),
        ({"exempt": ["/health\n"]}, "exempt has '.*n', which cannot be seen"),
        ({"headers": None}, "headers must hold some of .* got None"),
        ({"api_key_header": 5}, "api_key_header must be the name of an HTTP header, got 5"),
        ({"api_key_header": "ü"}, "api_key_header must be"),
        ({"messages": (1,)}, r"messages must be \(limit, window_seconds\) or a limiter"),
        ({"messages": (0, 1)}, "messages: limit must be"),
        ({"shadow": "no"}, "shadow must be True or False, got 'no'"),
        ({"algorithm": lambda limit, window: 7}, "what algorithm makes must have the verbs"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises((TypeError, ValueError), match=text):
        RateLimitMiddleware(hello, tiers=TIERS, **options)


def statuses(client: TestClient, paths: list[str], method: str = "GET", **more: Any) -> list[int]:
    return [client.request(method, path, **more).status_code for path in paths]


def test_one_x_ratelimit_set_and_the_strictest() -> None:
    app = FastAPI(dependencies=[rate_limit(50, 60, name="app")])
    app.add_middleware(FrameworkMiddleware, tiers={"free": (100, 60)})

    @app.get("/", dependencies=[rate_limit(10, 60)])
    async def root() -> None: ...

    headers = TestClient(app).get("/").headers
    assert headers["x-ratelimit-limit"] == "10"
    assert headers["x-ratelimit-remaining"] == "9"
    assert [part.split(";")[0] for part in headers["ratelimit"].split(", ")] == [
        '"app"',
        '"route"',
        '"free"',
    ]


def test_hosts_are_told_apart() -> None:
    limit = rate_limit(1, 60)

    def sub() -> FastAPI:
        app = FastAPI()

        @app.get("/x")
        async def x(info: Any = limit) -> None: ...

        return app

    app = Starlette(routes=[Host("a.example", sub()), Host("b.example", sub())])
    client = TestClient(app)
    for host in ("a.example", "b.example"):
        assert statuses(client, ["/x", "/x"], headers={"host": host}) == [200, 429]


def test_functions_of_get_and_head_are_told_apart() -> None:
    app = FastAPI()
    limit = rate_limit(1, 60)

    @app.get("/x")
    async def read(info: Any = limit) -> None: ...

    @app.head("/x")
    async def look(info: Any = limit) -> None: ...

    client = TestClient(app)
    assert statuses(client, ["/x", "/x"]) == [200, 429]
    assert statuses(client, ["/x", "/x"], "HEAD") == [200, 429]


@pytest.mark.parametrize("opaque", [pytest.param(False, marks=needs_included_mounts), True])
@pytest.mark.parametrize(
    ("mount", "leaf", "paths"),
    [
        ("/{t:int}/deep", "/x", ["/v1/7/deep/x", "/v1/07/deep/x", "/v1/8/deep/x"]),
        ("/{i}/deep", "/x/{i}", ["/v1/a/deep/x/1", "/v1/b/deep/x/1", "/v1/c/deep/x/2"]),
        ("/{t}/deep", "/x", ["/v1/a/deep/x", "/v1/v1/deep/x", "/v1/deep/deep/x"]),
    ],
)
def test_no_value_in_a_mounts_path_buys_a_quota(
    mount: str, leaf: str, paths: list[str], opaque: bool
) -> None:
    sub = FastAPI()

    @sub.get(leaf)
    async def x(info: Any = rate_limit(1, 60)) -> None: ...

    if opaque:
        between = Starlette()
        between.mount(mount, sub)

        async def hidden(scope: Any, receive: Any, send: Any) -> None:
            await between(scope, receive, send)

        app = FastAPI()
        app.mount("/v1", hidden)
    else:
        router = APIRouter()
        router.mount(mount, sub)
        app = FastAPI()
        app.include_router(router, prefix="/v1")
    client = TestClient(app)
    assert statuses(client, [paths[0], *paths]) == [200, 429, 429, 429]
