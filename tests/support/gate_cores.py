"""Gates of limits that are made of plain words, beneath the public class."""

from __future__ import annotations

import asyncio
from typing import Any

from sluicegate import Decision, Quota, TokenBucketConfig
from sluicegate._connection.bridge import bridge_of, planned
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
        parts = [_part(place, text) for place, text in enumerate(texts)]
        self.core = RedisGate(parts, [], self.limiters)

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

    async def awaited(self, verb: str, key: str, cost: int = 1) -> Told:
        """The same of all limits, awaited."""
        loop = asyncio.get_running_loop()
        bridge, future = bridge_of(loop), loop.create_future()
        begun = self.core.begin(bridge, future, verb, key, cost)
        told = await planned(loop, bridge, future, begun)  # type: ignore[arg-type]
        return dict(enumerate(told.limits.values()))  # type: ignore[attr-defined]

    def close(self) -> None:
        for each in self.limiters:
            each.close()


def _part(place: int, text: str) -> tuple[Any, ...]:
    kind, _, quota = text.removeprefix("shadow ").partition(" ")
    given = Quota(f"{quota} concurrent" if kind == "permits" else quota)
    is_shadow = text.startswith("shadow ")
    return f"limit {place}", "key", given, ALGORITHMS[kind], is_shadow, False, None


def allowed(told: Told) -> list[bool]:
    return [told[place].allowed for place in sorted(told)]


def left(told: Told) -> list[int]:
    return [told[place].remaining for place in sorted(told)]
