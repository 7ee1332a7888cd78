"""A gate with permits: they are held until the app has returned, whatever happens."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from asgi_calls import Answer, call, hello
from sluicegate import ConcurrencyLimiter, Gate, Limit, ManualClock
from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit
from sluicegate.policy import Policy

ME = "ip:192.0.2.1"


class Slow:
    """An app that goes on until it is told to end; counts those inside."""

    def __init__(self) -> None:
        self.end = asyncio.Event()
        self.inside = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.inside += 1
        try:
            await self.end.wait()
            await hello(scope, receive, send)
        finally:
            self.inside -= 1


async def started(app: Any, slow: Slow, count: int, **options: Any) -> list[asyncio.Task[Answer]]:
    tasks = [asyncio.create_task(call(app, **options)) for _ in range(count)]
    while slow.inside < count:
        await asyncio.sleep(0.001)
    return tasks


def left(gate: Any, keys: Any = ME) -> dict[str, int]:
    return {name: each.remaining for name, each in gate.peek(keys).limits.items()}


def test_one_too_many_is_refused_and_spends_nothing(clock: ManualClock) -> None:
    async def main() -> None:
        gate = Gate([Limit("2 concurrent"), Limit("9/day")], clock=clock)
        slow = Slow()
        app = RateLimitMiddleware(slow, limiter=gate)
        tasks = await started(app, slow, 2)
        refused = await call(app)
        assert refused.status == 429
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["ratelimit-policy"] == '"key/concurrent";q=2, "key/day";q=9;w=86400'
        assert refused.headers["ratelimit"] == '"key/concurrent";r=0;t=1, "key/day";r=7;t=86400'
        assert refused.scope["sluicegate.refusal"].limit_name == "key/concurrent"
        assert left(gate) == {"key/concurrent": 0, "key/day": 7}
        slow.end.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.status for answer in answers] == [200, 200]
        assert answers[0].headers["ratelimit"].startswith('"key/concurrent";r=1, "key/day";r=8')
        assert left(gate) == {"key/concurrent": 2, "key/day": 7}

    asyncio.run(main())


def test_they_come_back_from_an_app_that_fails_or_is_cancelled() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("oh")

    async def main() -> None:
        gate = Gate([Limit("1 concurrent"), Limit("9/day")])
        with pytest.raises(LookupError):
            await call(RateLimitMiddleware(failing, limiter=gate))
        assert left(gate) == {"key/concurrent": 1, "key/day": 8}
        slow = Slow()
        (task,) = await started(RateLimitMiddleware(slow, limiter=gate), slow, 1)
        assert left(gate) == {"key/concurrent": 0, "key/day": 7}
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert left(gate) == {"key/concurrent": 1, "key/day": 7}

    asyncio.run(main())


def test_what_a_later_limit_refuses_comes_back_with_them() -> None:
    async def main() -> None:
        gate = Gate([Limit("2 concurrent", by="client"), Limit("9/day", by="org")])
        inner = RateLimitMiddleware(hello, tiers={"inner": "1/day"})
        app = RateLimitMiddleware(inner, limiter=gate, keys={"org": lambda _: "acme"})
        assert [(await call(app)).status for _ in range(3)] == [200, 429, 429]
        assert left(gate, {"client": ME, "org": "acme"}) == {"client/concurrent": 2, "org/day": 8}

    asyncio.run(main())


@pytest.mark.parametrize("cost", [0, {"requests": 0}])
def test_what_costs_nothing_holds_one_still(cost: Any) -> None:
    async def main() -> None:
        gate = Gate([Limit("1 concurrent"), Limit("9/day")])
        slow = Slow()
        app = RateLimitMiddleware(slow, limiter=gate, cost=lambda _: cost)
        tasks = await started(app, slow, 1)
        assert left(gate) == {"key/concurrent": 0, "key/day": 9}
        assert (await call(app)).status == 429
        slow.end.set()
        await asyncio.gather(*tasks)
        assert left(gate) == {"key/concurrent": 1, "key/day": 9}

    asyncio.run(main())


def test_a_cost_above_a_limit_holds_nothing() -> None:
    async def main() -> None:
        gate = Gate([Limit("1 concurrent"), Limit("9/day")])
        app = RateLimitMiddleware(hello, limiter=gate, cost=lambda _: 10)
        assert (await call(app)).status == 413
        assert left(gate) == {"key/concurrent": 1, "key/day": 9}

    asyncio.run(main())


def test_a_connection_holds_one_until_it_ends() -> None:
    async def main() -> None:
        gate = Gate([Limit("1 concurrent")])
        during: list[int] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "websocket.accept"})
            during.append(left(gate)["key/concurrent"])

        await call(RateLimitMiddleware(app, limiter=gate), kind="websocket")
        assert (during, left(gate)) == ([0], {"key/concurrent": 1})

    asyncio.run(main())


def test_only_the_middleware_knows_when_they_come_back() -> None:
    gate = Gate([Limit("5 concurrent"), Limit("9/day")])
    text = r"the gate has permits \('5 concurrent'\), .*limiter=gate, or concurrency="
    with pytest.raises(TypeError, match="^rate_limit: " + text):
        rate_limit(gate)
    with pytest.raises(TypeError, match="^messages: " + text):
        Policy(tiers={"a": "9/day"}, messages=gate)


def test_concurrency_beside_them_gives_back_both() -> None:
    async def main() -> None:
        gate = Gate([Limit("2 concurrent"), Limit("9/day")])
        permits = ConcurrencyLimiter(1)
        slow = Slow()
        app = RateLimitMiddleware(slow, limiter=gate, concurrency=permits)
        tasks = await started(app, slow, 1)
        assert (await call(app)).status == 429
        assert left(gate) == {"key/concurrent": 1, "key/day": 8}
        slow.end.set()
        await asyncio.gather(*tasks)
        assert left(gate) == {"key/concurrent": 2, "key/day": 8}
        assert permits.in_use(ME) == 0

    asyncio.run(main())
