"""The FastAPI app that stands behind every middleware."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.responses import PlainTextResponse
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[..., Awaitable[Any]]


async def hello(request: Request) -> Response:
    return PlainTextResponse("hello")


def bare(*, endpoint: Endpoint = hello, dependencies: Sequence[Any] = ()) -> FastAPI:
    """The app alone."""
    app = FastAPI()
    app.get("/hello", dependencies=list(dependencies))(endpoint)
    return app


def with_middleware(middleware: Any, **options: Any) -> FastAPI:
    app = bare()
    app.add_middleware(middleware, **options)
    return app


class DoNothing(BaseHTTPMiddleware):
    """What Starlette's usual kind of middleware costs before it does anything."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)
