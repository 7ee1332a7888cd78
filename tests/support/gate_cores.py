"""Gates of limits that are made of plain words, beneath the public class."""

from __future__ import annotations

import asyncio
from typing import Any

from sluicegate import Decision, Quota, TokenBucketConfig
from sluicegate._connection.bridge import bridge_of
from sluicegate._connection.settings import settings_of
from sluicegate._core import RedisGate, RedisLimiter

ALGORITHMS = {
    "log": "sliding_log",
    "segments": "segmented_window",
    "counter": "sliding_counter",
    "fixed": "fixed_window",
    "bucket": "token_bucket",
    "permits": "permits",
}
Told = dict[int, Decision]


def limiter(url: str, text: str, prefix: str, **options: Any) -> RedisLimiter:
    """``"log 5/second"``; permits as ``"permits 5"``, with a lease of 30 s."""
    kind, _, quota = text.partition(" ")
    given: Any = (Quota(quota),) if kind != "permits" else (int(quota), 30.0)
    if kind == "bucket":
        given = TokenBucketConfig.from_quota(Quota(quota))
    settings = {"timeout": 1.0, "on_error": "raise", "workers": 1, "remember": False} | options
    return RedisLimiter(ALGORITHMS[kind], settings_of(url), given, prefix=prefix, **settings)


class Gate:
    """Limits by their places; a text that begins with ``shadow`` only watches."""

    def __init__(self, url: str, *texts: str, **options: Any) -> None:
        self.limiters = [
            limiter(url, text.removeprefix("shadow "), f"t:{place}", **options)
            for place, text in enumerate(texts)
        ]
        shadows = [text.startswith("shadow ") for text in texts]
        self.core = RedisGate(list(zip(self.limiters, shadows, strict=True)))

    def asked(self, key: str, *costs: int | None, **more: Any) -> list[Any]:
        quotas, numbers = more.get("quotas", {}), more.get("numbers", {})
        return [
            (place, key, cost, numbers.get(place), quotas.get(place))
            for place, cost in enumerate(costs)
            if cost is not None
        ]

    def ask(self, verb: str, key: str, *costs: int | None, **more: Any) -> Told:
        """What each limit says; ``None`` leaves one out."""
        return dict(self.core.ask_plain(verb, self.asked(key, *costs, **more)))

    async def awaited(self, verb: str, key: str, *costs: int | None, **more: Any) -> Told:
        loop = asyncio.get_running_loop()
        bridge, future = bridge_of(loop), loop.create_future()
        asked = self.asked(key, *costs, **more)
        begun = self.core.begin_plain(bridge, future, verb, asked)
        if isinstance(begun, list):
            return dict(begun)
        if begun:
            loop.call_soon(bridge.flush)
        return dict(await future)

    def close(self) -> None:
        for each in self.limiters:
            each.close()


def allowed(told: Told) -> list[bool]:
    return [told[place].allowed for place in sorted(told)]


def left(told: Told) -> list[int]:
    return [told[place].remaining for place in sorted(told)]
