from __future__ import annotations

from typing import Any

from benches.peers.app import bare, hello
from benches.peers.library import Library
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.middleware import SlowAPIASGIMiddleware, SlowAPIMiddleware
from slowapi.util import get_remote_address
from starlette.requests import Request
from starlette.responses import Response


def handled(app: Any, limiter: Limiter) -> Any:
    app.state.limiter = limiter
    app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)
    return app


def decorated(limit: int) -> Any:
    limiter = Limiter(key_func=get_remote_address, headers_enabled=True, strategy="moving-window")

    @limiter.limit(f"{limit}/minute")
    async def limited(request: Request) -> Response:
        return await hello(request)

    return handled(bare(endpoint=limited), limiter)


def wrapped(middleware: Any, limit: int) -> Any:
    limiter = Limiter(
        key_func=get_remote_address,
        headers_enabled=True,
        strategy="moving-window",
        default_limits=[f"{limit}/minute"],
    )
    app = handled(bare(), limiter)
    app.add_middleware(middleware)
    return app


LIBRARY = Library(
    "slowapi",
    apps={
        "decorator": decorated,
        "ASGI middleware": lambda limit: wrapped(SlowAPIASGIMiddleware, limit),
        "middleware": lambda limit: wrapped(SlowAPIMiddleware, limit),
    },
    distribution="slowapi",
)
