"""The baseline: what one writes without a library, as tutorials have it."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Any

from benches.peers.app import bare
from benches.peers.library import Call, Contestant, Library
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from starlette.requests import Request


class Log:
    """Drop what has left the window, count what is left, refuse or note the time.

    Wall clock, a deque a client, one that is never dropped, no lock.
    """

    def __init__(self, limit: int, window: int) -> None:
        self._limit = limit
        self._window = window
        self._times: dict[str, deque[float]] = {}

    def _live(self, client: str) -> deque[float]:
        times = self._times.get(client)
        if times is None:
            times = self._times[client] = deque()
        oldest = time.time() - self._window
        while times and times[0] < oldest:
            times.popleft()
        return times

    def is_allowed(self, client: str) -> bool:
        times = self._live(client)
        if len(times) < self._limit:
            times.append(time.time())
            return True
        return False

    def remaining(self, client: str) -> int:
        return self._limit - len(self._live(client))

    def reset_time(self, client: str) -> float:
        times = self._live(client)
        return (times[0] if times else time.time()) + self._window


class Bucket:
    """A level that is topped up from the time since the last call, under a lock."""

    def __init__(self, capacity: int, rate: float) -> None:
        self._capacity = capacity
        self._rate = rate
        self._level = float(capacity)
        self._seen = time.monotonic()
        self._lock = asyncio.Lock()

    async def acquire(self, tokens: int = 1) -> tuple[bool, dict[str, float]]:
        async with self._lock:
            now = time.monotonic()
            gained = (now - self._seen) * self._rate
            self._level, self._seen = min(self._capacity, self._level + gained), now
            missing = tokens - self._level
            if missing > 0:
                return False, {"remaining": 0, "retry_after": missing / self._rate}
            self._level -= tokens
            full_in = (self._capacity - self._level) / self._rate
            return True, {"remaining": int(self._level), "reset_at": now + full_in}


def told(limit: int, window: int) -> Call:
    """A decision with what the middleware puts beside it."""
    log = Log(limit, window)
    return lambda key: (log.is_allowed(key), log.remaining(key), log.reset_time(key))


def awaited(limit: int, window: int) -> Any:
    bucket = Bucket(limit, limit / window)
    return lambda key: bucket.acquire()


def gateway(limit: int) -> FastAPI:
    app, log = bare(), Log(limit, 60)

    @app.middleware("http")
    async def limited(request: Request, call_next: Any) -> Any:
        assert request.client is not None
        client = request.client.host
        if log.is_allowed(client):
            return await call_next(request)
        left, reset = log.remaining(client), log.reset_time(client)
        return JSONResponse(
            {"error": "Too Many Requests", "retry_after": int(reset - time.time())},
            429,
            {"X-RateLimit-Remaining": str(left), "X-RateLimit-Reset": str(int(reset))},
        )

    return app


LIBRARY = Library(
    "pure Python",
    [
        Contestant("pure-Python log", "log", lambda *quota: Log(*quota).is_allowed, full=told),
        Contestant(
            "pure-Python bucket",
            "bucket",
            awaited=awaited,
            keyed=False,
            admitted=lambda got: got[0],
        ),
    ],
    {"pure-Python middleware": gateway},
)
