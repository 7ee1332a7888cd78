"""What a later limit refused gives back those very units that were spent."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from redis_servers import Server
from sluicegate import (
    Decision,
    FixedWindow,
    Limiter,
    ManualClock,
    SlidingWindowRateLimiter,
    redis,
)
from sluicegate.fastapi import RateLimitMiddleware, rate_limit

pytest_plugins = ["redis_fixtures"]

ME = "ip:192.0.2.1"


def refused_after(limiter: Any, meanwhile: Any) -> int:
    """A request that ``limiter`` admits, and after ``meanwhile`` the endpoint's limit refuses."""

    def cost(_: Request) -> int:
        meanwhile()
        return 10

    app = FastAPI()
    app.add_middleware(RateLimitMiddleware, limiter=limiter)

    @app.get("/", dependencies=[rate_limit(9, 60, cost=cost)])
    async def root() -> None: ...

    return TestClient(app, client=("192.0.2.1", 4000)).get("/").status_code


def test_nothing_of_the_next_window(clock: ManualClock) -> None:
    """By its cost alone, one of the two that others spent since came back: three in a minute."""
    window = FixedWindow(2, 60, clock=clock)
    clock.advance(59)

    def others_spend() -> None:
        clock.advance(2)
        assert window.check(ME, 2)

    assert refused_after(window, others_spend) == 413
    assert not window.check(ME)


def test_the_units_of_that_request_and_not_older_ones(clock: ManualClock) -> None:
    """By its cost alone, the oldest came back, and this one's counted for half a minute more."""
    log = SlidingWindowRateLimiter(2, 60, clock=clock)
    assert log.check(ME)
    clock.advance(30)
    assert refused_after(log, lambda: clock.advance(1)) == 413
    assert log.peek(ME).remaining == 1
    clock.advance(28.999999)
    assert log.peek(ME).remaining == 1
    clock.advance(0.000001)
    assert log.peek(ME).remaining == 2


class ByCost(FixedWindow):
    """Of before receipts."""

    def refund(self, key: str, cost: Any = 1, units: int | None = None) -> None:
        assert type(cost) is int
        super().refund(key, cost)


class DecidesItself(FixedWindow):
    """Gives decisions that are no receipts."""

    def check(self, key: str, cost: int = 1) -> Decision:
        found = super().check(key, cost)
        wait = found.retry_after, found.reset_after, found.reset_at
        return Decision(found.allowed, found.limit, found.remaining, *wait, "mine")


@pytest.mark.parametrize("kind", [FixedWindow, ByCost, DecidesItself])
def test_a_limiter_of_ones_own_is_told_the_cost(kind: type[Limiter]) -> None:
    limiter: Any = kind(5, 86_400)  # type: ignore[call-arg]
    assert refused_after(limiter, lambda: None) == 413
    assert limiter.peek(ME).remaining == 5


def test_nothing_of_the_next_window_in_redis(moved_server: Server) -> None:
    window = redis.FixedWindow(moved_server.url, 2, 60, prefix="p", timeout=30)
    others = redis.FixedWindow(moved_server.url, 2, 60, prefix="p", timeout=30)
    moved_server.set_time(1_800_000_059)

    def others_spend() -> None:
        moved_server.advance(2)
        assert others.check_sync(ME, 2)

    assert refused_after(window, others_spend) == 413
    assert others.peek_sync(ME).remaining == 0


class ByCostInRedis(redis.FixedWindow):
    """Of before receipts."""

    async def refund(self, key: str, cost: Any = 1, units: int | None = None) -> None:
        assert type(cost) is int
        await super().refund(key, cost)


@pytest.mark.parametrize("kind", [redis.FixedWindow, ByCostInRedis])
def test_in_redis_too_one_of_ones_own_is_told_the_cost(kind: Any, moved_server: Server) -> None:
    moved_server.set_time(1_800_000_000)
    limiter = kind(moved_server.url, 5, 60, prefix="p", timeout=30)
    assert refused_after(limiter, lambda: None) == 413
    assert limiter.peek_sync(ME).remaining == 5
