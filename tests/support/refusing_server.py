"""A server that refuses, and the four ways to ask it again."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import httpx2
import pytest

from sluicegate import ManualClock
from sluicegate.retry import Backoff, Retry

WAYS = pytest.mark.parametrize("way", ["call", "decorator", "async call", "async decorator"])
STEADY = Backoff(jitter=0)


class Server:
    """Refuses so often, then answers; remembers when it was called."""

    def __init__(self, clock: ManualClock, *refusals: object) -> None:
        self.clock, self.refusals = clock, iter(refusals)
        self.times: list[float] = []

    def get(self) -> Any:
        self.times.append(self.clock.time())
        refusal = next(self.refusals, "answer")
        if isinstance(refusal, BaseException):
            raise refusal
        return refusal

    async def get_async(self) -> Any:
        await asyncio.sleep(0)
        return self.get()

    @property
    def waits(self) -> list[float]:
        return [round(later - sooner, 6) for sooner, later in pairwise(self.times)]


def refused(status: int = 429, **fields: str) -> httpx2.Response:
    return httpx2.Response(status, headers={k.replace("_", "-"): v for k, v in fields.items()})


def ask(server: Server, way: str, **options: Any) -> Any:
    """Call the server in one of four ways."""
    retrying = Retry(clock=server.clock, **options)
    if way == "call":
        return retrying.call(server.get)
    if way == "decorator":
        return retrying(server.get)()
    if way == "async call":
        return asyncio.run(retrying.call(server.get_async))
    return asyncio.run(retrying(server.get_async)())
