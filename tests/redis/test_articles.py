"""Both articles' programs for Redis, with only their imports changed, run and limit."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis.asyncio as aioredis
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from starlette.middleware.base import BaseHTTPMiddleware

from asgi_calls import call
from redis_programs import run
from redis_servers import Server
from sluicegate import TokenBucketConfig
from sluicegate.redis import (
    ClusterRateLimiter,
    ConsistentHashRing,
    DistributedTokenBucket,
    RedisSlidingWindowRateLimiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
)

NOW = 1_800_000_000.0


@pytest.fixture
def server(moved_server: Server) -> Server:
    """Its clock stands still: no window ends while a program runs."""
    moved_server.set_time(NOW)
    return moved_server


def client_of(server: Server) -> aioredis.Redis:
    return aioredis.from_url(server.url, encoding="utf-8", decode_responses=True)


def test_article_1_limits_across_instances_of_a_gateway(server: Server) -> None:
    async def gateway(redis_client: aioredis.Redis, requests: int) -> list[bool]:
        limiter = RedisSlidingWindowRateLimiter(redis_client, max_requests=5, window_seconds=60)
        return [await limiter.is_allowed("10.0.0.1") for _ in range(requests)]

    async def main() -> None:
        answers = [await gateway(client_of(server), 3) for _ in range(3)]
        assert answers == [[True] * 3, [True, True, False], [False] * 3]
        server.advance(60)
        assert await gateway(client_of(server), 6) == [True] * 5 + [False]

    run(main())


def test_article_1_tells_what_is_left_and_when_a_slot_frees(server: Server) -> None:
    async def main() -> None:
        limiter = RedisSlidingWindowRateLimiter(client_of(server))
        assert (limiter.max_requests, limiter.window_seconds) == (100, 60)
        assert await limiter.get_remaining("a") == 100
        assert await limiter.is_allowed(client_id="a") is True
        server.advance(20)
        assert await limiter.is_allowed("a") is True
        assert await limiter.get_remaining(client_id="a") == 98
        # By the clock of this machine: the server's is not told to its clients.
        first, unseen = await limiter.get_reset_time("a"), await limiter.get_reset_time("b")
        assert 19 < unseen - first < 22

    run(main())


def test_article_2s_token_bucket(server: Server) -> None:
    async def main() -> None:
        config = TokenBucketConfig(capacity=100, refill_rate=10)
        limiter = DistributedTokenBucket(client_of(server), config)
        allowed, info = await limiter.acquire("user:123", tokens=60)
        assert (allowed, info["remaining"]) == (True, 40)
        allowed, info = await limiter.acquire("user:123", tokens=50)
        assert (allowed, info["remaining"], info["retry_after"]) == (False, 40, 1.0)
        server.advance(info["retry_after"])
        allowed, info = await limiter.acquire("user:456")
        assert (allowed, info["remaining"]) == (True, 99)
        await asyncio.sleep(1.01)  # a refusal is remembered for a second at most
        allowed, info = await limiter.acquire("user:123", tokens=50)
        assert (allowed, info["remaining"]) == (True, 0)

    run(main())


@pytest.mark.parametrize("kind", [SlidingWindowRateLimiter, SegmentedWindow, SlidingWindowCounter])
def test_article_2s_windows(kind: Callable[..., Any], server: Server) -> None:
    async def main() -> None:
        limiter = kind(client_of(server), 3, 60)
        told = [tuple(await limiter.is_allowed("user:123")) for _ in range(4)]
        assert [allowed for allowed, _ in told] == [True, True, True, False]
        assert [info["remaining"] for _, info in told] == [2, 1, 0, 0]
        assert all("reset_at" in info for _, info in told[:3])
        assert 0 < told[3][1]["retry_after"] <= 2 * 60  # the counter's last window fades in one

    run(main())


def app_of(server: Server) -> FastAPI:
    """Article 2's app, as it stands but for the server's address."""
    app = FastAPI()
    pool: list[Any] = []

    async def get_redis() -> Any:
        if not pool:
            pool.append(await client_of(server))  # type: ignore[misc]
        return pool[0]

    class RateLimitMiddleware(BaseHTTPMiddleware):
        def __init__(self, app: Any, tiers: dict[str, tuple[int, int]]) -> None:
            super().__init__(app)
            self.tiers = tiers

        async def dispatch(
            self, request: Request, call_next: Callable[[Request], Awaitable[Any]]
        ) -> Any:
            tier = "premium" if request.headers.get("X-API-Key") else "free"
            limit, window = self.tiers.get(tier, (100, 60))
            limiter = SlidingWindowCounter(await get_redis(), limit, window)
            allowed, info = await limiter.is_allowed(f"ratelimit:{tier}:{request.client.host}")  # type: ignore[union-attr]
            if not allowed:
                return JSONResponse(
                    status_code=429,
                    content={"error": "Rate limit exceeded", "retry_after": info["retry_after"]},
                    headers={
                        "X-RateLimit-Limit": str(limit),
                        "X-RateLimit-Remaining": "0",
                        "X-RateLimit-Reset": str(int(info.get("reset_at", 0))),
                        "Retry-After": str(int(info["retry_after"])),
                    },
                )
            response = await call_next(request)
            response.headers["X-RateLimit-Limit"] = str(limit)
            response.headers["X-RateLimit-Remaining"] = str(info["remaining"])
            return response

    app.add_middleware(RateLimitMiddleware, tiers={"free": (6, 60), "premium": (10_000, 60)})

    def rate_limit(limit: int, window: int = 60) -> Any:
        async def dependency(request: Request) -> Any:
            key = f"ratelimit:endpoint:{request.url.path}:{request.client.host}"  # type: ignore[union-attr]
            limiter = SlidingWindowCounter(await get_redis(), limit, window)
            allowed, info = await limiter.is_allowed(key)
            if not allowed:
                detail = {"error": "Rate limit exceeded", "retry_after": info["retry_after"]}
                raise HTTPException(status_code=429, detail=detail)
            return info

        return Depends(dependency)

    @app.get("/api/expensive-operation")
    async def expensive(rate_info: dict[str, Any] = rate_limit(3, 60)) -> dict[str, Any]:
        return {"status": "success", "rate_limit_remaining": rate_info["remaining"]}

    @app.get("/")
    async def cheap() -> str:
        return "fine"

    return app


def test_article_2s_app(server: Server) -> None:
    async def main() -> None:
        app = app_of(server)
        answers = [await call(app, "/api/expensive-operation") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert answers[0].body == b'{"status":"success","rate_limit_remaining":2}'
        answers = [await call(app) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert answers[1].headers["x-ratelimit-remaining"] == "0"
        assert 0 < int(answers[2].headers["retry-after"]) <= 2 * 60
        answer = await call(app, headers=[("X-API-Key", "secret")])
        assert (answer.status, answer.headers["x-ratelimit-remaining"]) == (200, "9999")
        assert (await call(app, peer="192.0.2.2")).status == 200

    run(main())


clients = pytest.param(client_of, id="clients")
urls = pytest.param(lambda server: server.url, id="urls")


@pytest.mark.parametrize("node_of", [clients, urls])
def test_article_2s_ring_of_servers(node_of: Callable[[Server], Any], start: Any) -> None:
    async def main() -> None:
        servers = [start(Server, moved_clock=True) for _ in range(3)]
        for each in servers:
            each.set_time(NOW)
        ring = ConsistentHashRing([str(number) for number in range(3)])
        limiter = ClusterRateLimiter([node_of(each) for each in servers], timeout=30)
        for user in range(30):
            told = [await limiter.is_allowed(f"user:{user}", 2, 60) for _ in range(3)]
            assert [allowed for allowed, _ in told] == [True, True, False]
            assert ring.get_node(f"user:{user}") in {"0", "1", "2"}
        assert sum(each.command("DBSIZE") for each in servers) == 30
        assert all(each.command("DBSIZE") > 0 for each in servers)

    run(main())
