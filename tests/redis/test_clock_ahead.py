"""A server's clock that was a day ahead for a moment blocks nobody for that day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from redis_load import LIMITERS, run
from redis_servers import Server
from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitOpenError, CircuitState
from sluicegate.redis import ConcurrencyLimiter

pytest_plugins = ["redis_fixtures"]

NOW, DAY = 1_800_000_000, 86_400


@pytest.mark.parametrize("algorithm", LIMITERS)
def test_exhausted_keys(moved_server: Server, algorithm: str) -> None:
    async def main() -> None:
        limiter = LIMITERS[algorithm](
            moved_server.url, 10, 60, timeout=30, on_error="raise", remember=False
        )
        moved_server.set_time(NOW + DAY)
        assert await limiter.check("key", 10)
        assert not await limiter.check("key")
        moved_server.set_time(NOW)
        refused = await limiter.check("key")
        # A bucket cannot tell it from a quota that was changed: it is empty, and fills as ever.
        assert bool(refused) == (algorithm != "bucket")
        assert refused.retry_after <= 6
        moved_server.advance(60)
        assert await limiter.check("key", 9)
        assert moved_server.command("PTTL", *moved_server.command("KEYS", "*")) <= 121_000

    run(main())


def test_the_permit_of_a_holder_that_died(moved_server: Server) -> None:
    def limiter() -> ConcurrencyLimiter:
        return ConcurrencyLimiter(
            moved_server.url, 2, lease_seconds=5, timeout=4, on_error="raise", prefix="p"
        )

    async def main() -> None:
        gone, other = limiter(), limiter()
        moved_server.set_time(NOW + DAY)
        held = await gone.try_acquire("key")
        alive = await other.try_acquire("key")
        assert held is not None
        assert alive is not None
        moved_server.set_time(NOW)
        assert await other.try_acquire("key") is None, "both may be alive"
        moved_server.advance(4)
        await asyncio.gather(*other._now_here().renew())
        assert alive.held
        moved_server.advance(1)
        assert await other.in_use("key") == 1
        assert await other.try_acquire("key") is not None

    run(main())


CONFIG = CircuitConfig(
    failure_threshold=2, success_threshold=1, timeout=5, rate_limit=None, window=10, probe_lease=4
)


class DownError(Exception):
    """The service does not answer."""


async def down() -> None:
    raise DownError


Steps = Callable[[CircuitBreaker], Any]


def with_breaker(server: Server, steps: Steps, config: CircuitConfig = CONFIG) -> None:
    run(steps(CircuitBreaker(server.url, config, timeout=30, on_error="raise")))


async def fail(breaker: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(DownError):
            await breaker.execute("s", down)


def test_an_open_circuit(moved_server: Server) -> None:
    async def main(breaker: CircuitBreaker) -> None:
        moved_server.set_time(NOW + DAY)
        await fail(breaker, 2)
        assert await breaker.state("s") is CircuitState.OPEN
        moved_server.advance(-5)  # a timeout's length is believed
        assert await breaker.state("s") is CircuitState.OPEN
        moved_server.set_time(NOW)
        assert await breaker.state("s") is CircuitState.HALF_OPEN
        await fail(breaker, 1)
        assert await breaker.state("s") is CircuitState.OPEN
        moved_server.advance(5)
        await breaker.execute("s", asyncio.sleep, 0)
        assert await breaker.state("s") is CircuitState.CLOSED

    with_breaker(moved_server, main)


def test_the_place_of_a_probe_that_died(moved_server: Server) -> None:
    async def main(breaker: CircuitBreaker) -> None:
        moved_server.set_time(NOW + DAY)
        await fail(breaker, 2)
        moved_server.advance(5)
        await breaker.guard("s").__aenter__()  # and it is never left
        moved_server.set_time(NOW)
        with pytest.raises(CircuitOpenError) as refused:
            await breaker.execute("s", asyncio.sleep, 0)
        assert 0 < refused.value.retry_after <= 4
        moved_server.advance(4)
        await breaker.execute("s", asyncio.sleep, 0)
        assert await breaker.state("s") is CircuitState.CLOSED

    with_breaker(moved_server, main)


def test_failures_of_a_day_ahead_do_not_count(moved_server: Server) -> None:
    async def main(breaker: CircuitBreaker) -> None:
        moved_server.set_time(NOW)
        await breaker.execute("s", asyncio.sleep, 0)
        moved_server.set_time(NOW + DAY)
        await fail(breaker, 1)
        moved_server.set_time(NOW)
        await fail(breaker, 1)
        assert await breaker.state("s") is CircuitState.CLOSED
        await fail(breaker, 1)
        assert await breaker.state("s") is CircuitState.OPEN

    with_breaker(moved_server, main)


def test_more_probes_than_lua_can_unpack_run_out_together(moved_server: Server) -> None:
    """Of a circuit with thousands of places; Lua hands on some 8,000 values at once."""

    async def main(breaker: CircuitBreaker) -> None:
        moved_server.set_time(NOW)
        await fail(breaker, 1)
        moved_server.advance(5)
        await breaker.guard("s").__aenter__()
        fields = [word for n in range(9_000) for word in (f"p{n}", (NOW + 6) * 10**6)]
        moved_server.command("HSET", "sluicegate:circuit:{s}", *fields)
        moved_server.advance(10)
        await breaker.guard("s").__aenter__()
        assert moved_server.command("HLEN", "sluicegate:circuit:{s}") < 10

    config = CircuitConfig(
        failure_threshold=1, success_threshold=10_000, timeout=5, rate_limit=None
    )
    with_breaker(moved_server, main, config)
