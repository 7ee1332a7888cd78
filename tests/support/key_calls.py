"""Requests with API keys, and a database of such keys, for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from asgi_calls import Answer, call
from sluicegate.identity import Principal

TIERS = {"free": (10, 60), "premium": (1000, 60)}
JUNK = [f"junk {n}" for n in range(1_000)]


def with_key(key: str) -> dict[str, Any]:
    return {"headers": [("X-API-Key", key)]}


class Database:
    """Knows the keys that begin with "good"; counts, and answers when it is told to."""

    def __init__(self, open_now: bool = True) -> None:
        self.asked: list[str] = []
        self.under_way = self.most_under_way = 0
        self.cancelled = 0
        self.open = asyncio.Event()
        if open_now:
            self.open.set()

    async def verify(self, key: str) -> Principal | None:
        self.asked.append(key)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        return Principal("of " + key, "premium") if key.startswith("good") else None


async def all_at_once(app: Any, keys: list[str]) -> list[Answer]:
    return list(await asyncio.gather(*(call(app, **with_key(key)) for key in keys)))


def policies(answers: list[Answer]) -> set[str]:
    return {answer.headers["ratelimit-policy"].split(";")[0] for answer in answers}


async def soon(condition: Callable[[], object]) -> None:
    for _ in range(1_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it does not come to that")
