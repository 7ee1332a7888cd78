"""What the middleware adds to an in-process Starlette request, all headers included."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from statistics import median
from typing import Any

from benches.python.harness import QUICK, Case, Figure, paired, save, say, show, summary
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sluicegate import SlidingWindowRateLimiter
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.policy import Rule

REQUESTS = 50
ROUNDS = 100 if QUICK else 600

ONE_WINDOW = "16000000/hour"
THREE_WINDOWS = "8000000/minute; 16000000/hour; 32000000/day"

#: Ten rules, two of which match /hello.
RULES = [
    Rule("POST /login", "5/minute", by="address", counts="failures"),
    Rule("/hello", "16000000/hour", by="address"),
    Rule("/users/{id}", "10/minute", by=("client", "path:id")),
    Rule("/users/{id}/posts", "10/minute"),
    Rule("/static/*", "100/second"),
    Rule("POST /orders", "10/minute"),
    Rule("/orders/{id}", "10/minute"),
    Rule("/search", "20/minute", delay=3),
    Rule("/reports/*", "2/minute", by="all"),
    Rule("*", "16000000/day"),
]

App = Callable[..., Awaitable[Any]]
Message = MutableMapping[str, Any]


class DoNothing(BaseHTTPMiddleware):
    """What the simplest middleware of Starlette's usual kind costs."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        return await call_next(request)


class DoNothingPurely:
    """What any middleware costs at least: one more call."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Any, send: Any) -> None:
        await self._app(scope, receive, send)


async def hello(_: Request) -> Response:
    return PlainTextResponse("hello")


def app_with(*middleware: Middleware) -> App:
    return Starlette(routes=[Route("/hello", hello)], middleware=list(middleware))


def plenty() -> SlidingWindowRateLimiter:
    return SlidingWindowRateLimiter(16_000_000, 3600)


def exhausted() -> SlidingWindowRateLimiter:
    limiter = SlidingWindowRateLimiter(1, 3600)
    limiter.check("ip:203.0.113.7")
    return limiter


def scope() -> dict[str, Any]:
    """What uvicorn passes for a browser's request."""
    headers = ("host", "user-agent", "accept", "accept-language", "accept-encoding", "cookie")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("203.0.113.7", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/hello",
        "raw_path": b"/hello",
        "query_string": b"",
        "headers": [(name.encode(), b"some value of a header") for name in headers],
        "state": {},
    }


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Message) -> None:
    pass


def requests_to(app: App, loop: asyncio.AbstractEventLoop) -> Case:
    async def run() -> int:
        scopes = [scope() for _ in range(REQUESTS)]
        start = time.perf_counter_ns()
        for each in scopes:
            await app(each, receive, send)
        return time.perf_counter_ns() - start

    return lambda: loop.run_until_complete(run())


def measure() -> list[Figure]:
    limited = {
        "RateLimitMiddleware, both header sets": (
            Middleware(RateLimitMiddleware, limiter=plenty()),
            4.5,
        ),
        "RateLimitMiddleware, X-RateLimit only": (
            Middleware(RateLimitMiddleware, limiter=plenty(), headers="x-ratelimit"),
            None,
        ),
        "RateLimitMiddleware, no headers": (
            Middleware(RateLimitMiddleware, limiter=plenty(), headers=()),
            None,
        ),
        "RateLimitMiddleware, an option (cost=)": (
            Middleware(RateLimitMiddleware, limiter=plenty(), cost=lambda scope: 1),
            None,
        ),
        "RateLimitMiddleware, a tier of one window": (
            Middleware(RateLimitMiddleware, tiers={"free": ONE_WINDOW}),
            None,
        ),
        "RateLimitMiddleware, a tier of three windows": (
            Middleware(RateLimitMiddleware, tiers={"free": THREE_WINDOWS}),
            None,
        ),
        "RateLimitMiddleware, one window and an option": (
            Middleware(RateLimitMiddleware, tiers={"free": ONE_WINDOW}, cost=lambda scope: 1),
            None,
        ),
        "RateLimitMiddleware, three windows and an option": (
            Middleware(RateLimitMiddleware, tiers={"free": THREE_WINDOWS}, cost=lambda scope: 1),
            None,
        ),
        "RateLimitMiddleware, 10 rules of which two match": (
            Middleware(RateLimitMiddleware, rules=RULES),
            8.0,
        ),
        "RateLimitMiddleware, the same and a tier": (
            Middleware(RateLimitMiddleware, rules=RULES, tiers={"free": ONE_WINDOW}),
            8.0,
        ),
        "RateLimitMiddleware, 10 rules of which two match, and an option": (
            Middleware(RateLimitMiddleware, rules=RULES, verify=lambda key: None),
            None,
        ),
        "RateLimitMiddleware, refused (the app is not called)": (
            Middleware(RateLimitMiddleware, limiter=exhausted()),
            None,
        ),
        "pure ASGI middleware that does nothing": (Middleware(DoNothingPurely), None),
        "BaseHTTPMiddleware that does nothing": (Middleware(DoNothing), None),
    }
    loop = asyncio.new_event_loop()
    try:
        cases = {what: requests_to(app_with(each), loop) for what, (each, _) in limited.items()}
        times = paired(cases, [requests_to(app_with(), loop)], ROUNDS)
    finally:
        loop.close()
    bare = [bare / REQUESTS / 1e3 for each in times.values() for bare, _ in each]
    figures = [summary("the bare app's request", bare, "µs")]
    for what, (_, bar) in limited.items():
        added = [(took - bare) / REQUESTS / 1e3 for bare, took in times[what]]
        share = median((took - bare) / bare for bare, took in times[what])
        note = f"{share:.2f} of the bare app's request"
        figures.append(summary(f"added by {what}", added, "µs", bar, note))
    return figures


def main() -> None:
    say("middleware ...")
    figures = measure()
    about = "Microseconds added to an in-process Starlette request; medians, each\nagainst the bare app measured just before."
    show("The middleware", about, figures)
    save("middleware", figures)


if __name__ == "__main__":
    main()
