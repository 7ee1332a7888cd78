"""The demo's server: one FastAPI app on uvicorn, with a limiter in front of each part."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn
from _demo_story import Story, contestants, make_limiter
from fastapi import FastAPI, Request

from sluicegate import Limiter
from sluicegate.fastapi import RateLimitMiddleware

Scope = MutableMapping[str, Any]
Channel = Callable[..., Awaitable[Any]]


def make_api(limiter: Limiter | None = None) -> FastAPI:
    """An API with one route, behind ``limiter`` if there is one."""
    api = FastAPI()
    if limiter is not None:
        api.add_middleware(RateLimitMiddleware, limiter=limiter)

    @api.get("/quote")
    async def quote(request: Request) -> dict[str, list[int]]:
        return {"stamps_ns": [request.scope.get("arrived_ns", 0), time.monotonic_ns()]}

    return api


class StampArrival:
    """Note when a request reached the server, before any limiter has seen it.

    With the route's own stamp that brackets the instant of the decision. All processes
    of a machine read the same monotonic clock.
    """

    def __init__(self, app: Callable[[Scope, Channel, Channel], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Channel, send: Channel) -> None:
        scope["arrived_ns"] = time.monotonic_ns()
        await self._app(scope, receive, send)


def make_site(story: Story) -> StampArrival:
    site = FastAPI()
    for contestant in contestants(story):
        limiter = make_limiter(contestant.path, story.limit, story.window)
        site.mount(contestant.path, make_api(limiter))
    return StampArrival(site)


def stop_with_parent(server: uvicorn.Server) -> None:
    """Stop the server when whoever started it closes our input, or is gone."""
    sys.stdin.read()
    server.should_exit = True


def main() -> None:
    """Serve on a free port of the loopback, and tell it in one line."""
    story = Story(limit=int(sys.argv[1]), window=float(sys.argv[2]))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(make_site(story), log_level="warning", access_log=False)
    server = uvicorn.Server(config)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=stop_with_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])


if __name__ == "__main__":
    main()
