from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

from benches.peers.app import bare, hello
from benches.peers.library import Algorithm, Call, Contestant, Library
from starlette.requests import Request
from starlette.responses import Response
from throttled import MemoryStore, Throttled, per_duration
from throttled import asyncio as throttled_asyncio
from throttled.asyncio.contrib.fastapi import (
    Limiter,
    RateLimitExceededError,
    RateLimitMiddleware,
    get_remote_address,
    rate_limit_exceeded_handler,
)

# Its default of 1,024 keys drops live ones, and then it limits nobody.
STORE = {"MAX_SIZE": 2_000_000}


def options(using: str, limit: int, window: int) -> dict[str, Any]:
    return {"using": using, "quota": per_duration(timedelta(seconds=window), limit)}


def contestant(using: str, algorithm: Algorithm) -> Contestant:
    def made(limit: int, window: int) -> Call:
        store = MemoryStore(options=STORE)
        return Throttled(**options(using, limit, window), store=store).limit

    def awaited(limit: int, window: int) -> Any:
        store = throttled_asyncio.MemoryStore(options=STORE)
        return throttled_asyncio.Throttled(**options(using, limit, window), store=store).limit

    def waits(limit: int, window: int) -> Any:
        return partial(awaited(limit, window), timeout=60)

    return Contestant(
        using,
        algorithm,
        made,
        lambda result: not result.limited,
        full=made,
        awaited=awaited,
        waits=waits,
    )


def decorated(limit: int) -> Any:
    limiter = Limiter(f"{limit}/m", using="sliding_window", key_func=get_remote_address)

    @limiter.limit()
    async def limited(request: Request) -> Response:
        return await hello(request)

    app = bare(endpoint=limited)
    app.add_exception_handler(RateLimitExceededError, rate_limit_exceeded_handler)
    app.add_middleware(RateLimitMiddleware)
    return app


LIBRARY = Library(
    "throttled-py",
    [
        contestant("token_bucket", "bucket"),
        contestant("gcra", "bucket"),
        contestant("sliding_window", "counter"),
        contestant("fixed_window", "fixed"),
    ],
    {"decorator and middleware": decorated},
    distribution="throttled-py",
)
