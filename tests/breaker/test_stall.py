"""What a breaker knows while Redis stalls: a stopped server takes calls and answers none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from redis_servers import Server
from sluicegate import ManualClock
from sluicegate.breaker import (
    CircuitBreaker,
    CircuitConfig,
    CircuitOpenError,
    CircuitState,
    StateChange,
)
from sluicegate.breaker.memory import Circuits

CONFIG = CircuitConfig(failure_threshold=3, success_threshold=2, timeout=1_000, rate_limit=None)
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class DownError(Exception):
    """The service does not answer."""


async def down() -> None:
    raise DownError


async def fine() -> str:
    return "fine"


class Stall:
    """A breaker whose server is stopped, and whose own clock the test moves."""

    def __init__(self, server: Server, config: CircuitConfig = CONFIG) -> None:
        self.server, self.clock = server, ManualClock()
        self.changes: list[StateChange] = []
        # As long as a busy machine may need.
        self.breaker = CircuitBreaker(
            server.url, config, timeout=30, on_change=lambda change: self.changes.append(change)
        )
        self.breaker._admitter.circuits._local = Circuits(config, self.clock.time)

    def begin(self) -> None:
        self.server.stop()
        self.breaker._admitter.circuits._scripts._timeout = 0.02

    def end(self) -> None:
        self.server.cont()
        self.breaker._admitter.circuits._scripts._timeout = 30

    async def fail(self, times: int) -> None:
        for _ in range(times):
            with pytest.raises(DownError):
                await self.breaker.execute("s", down)

    async def refused(self) -> float:
        with pytest.raises(CircuitOpenError) as error:
            await self.breaker.execute("s", fine)
        return error.value.retry_after

    async def state(self) -> CircuitState:
        return await self.breaker.state("s")


async def opens_it(stall: Stall) -> None:
    await stall.fail(3)


async def is_refused(stall: Stall) -> None:
    await Stall(stall.server).fail(3)
    await stall.refused()


async def looks(stall: Stall) -> None:
    await Stall(stall.server).fail(3)
    assert await stall.state() is OPEN


async def is_cancelled(stall: Stall) -> None:
    """The call that opens it does not wait for the answer."""
    await stall.fail(2)
    loop = asyncio.get_running_loop()

    async def fail() -> None:
        loop.call_soon(call.cancel)
        raise DownError

    call = asyncio.ensure_future(stall.breaker.execute("s", fail))
    await asyncio.wait([call])
    assert call.cancelled()
    while not stall.changes:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("known", [opens_it, is_refused, looks, is_cancelled])
def test_a_circuit_known_to_be_open_stays_open(
    redis_server: Server, known: Callable[[Stall], Any]
) -> None:
    async def main() -> None:
        stall = Stall(redis_server)
        await known(stall)
        stall.begin()
        assert 900 < await stall.refused() <= 1_000
        assert await stall.state() is OPEN
        stall.clock.advance(899)
        assert 0 < await stall.refused() <= 101
        stall.clock.advance(101)
        assert await stall.state() is HALF_OPEN
        assert await stall.breaker.execute("s", fine) == "fine"

    asyncio.run(asyncio.wait_for(main(), 60))


def test_after_its_time_it_is_probed_here(redis_server: Server) -> None:
    async def main() -> None:
        stall = Stall(redis_server)
        await stall.fail(3)
        stall.begin()
        stall.clock.advance(1_000)
        stall.changes.clear()
        async with stall.breaker.guard("s"), stall.breaker.guard("s"):
            await stall.refused()  # all places are taken
            assert await stall.state() is HALF_OPEN
        assert await stall.state() is CLOSED
        assert [change.new for change in stall.changes] == [HALF_OPEN, CLOSED]
        await stall.fail(3)
        assert await stall.refused() == 1_000
        stall.clock.advance(1_000)
        await stall.fail(1)
        assert await stall.refused() == 1_000

    asyncio.run(asyncio.wait_for(main(), 60))


def test_failures_from_before_count(redis_server: Server) -> None:
    async def main() -> None:
        stall = Stall(redis_server)
        await stall.fail(2)
        stall.begin()
        assert await stall.breaker.execute("s", fine) == "fine"
        await stall.fail(1)
        assert await stall.refused() == 1_000
        assert [change.new for change in stall.changes] == [OPEN]

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("before", ["closed", "half open"])
def test_a_failure_that_the_server_does_not_take_counts_here(
    redis_server: Server, before: str
) -> None:
    config = CircuitConfig(failure_threshold=1, timeout=0.001, rate_limit=None)

    async def main() -> None:
        stall = Stall(redis_server, config)
        if before == "half open":
            await stall.fail(1)
            while await stall.state() is not HALF_OPEN:
                await asyncio.sleep(0.001)
        stall.changes.clear()

        async def stops_it_and_fails() -> None:
            stall.begin()
            raise DownError

        with pytest.raises(DownError):
            await stall.breaker.execute("s", stops_it_and_fails)
        assert stall.changes[-1].new is OPEN
        assert await stall.refused() == 0.001

    asyncio.run(asyncio.wait_for(main(), 60))


def test_what_the_server_tells_last_is_what_is_known(redis_server: Server) -> None:
    async def main() -> None:
        stall = Stall(redis_server)
        await stall.fail(3)
        redis_server.command("FLUSHALL")
        assert await stall.breaker.execute("s", fine) == "fine"
        stall.begin()
        assert await stall.state() is CLOSED
        await stall.fail(3)
        assert await stall.state() is OPEN
        stall.end()
        while await stall.state() is not CLOSED:  # as soon as it is connected again
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 60))


def test_an_answer_to_an_earlier_question_tells_nothing() -> None:
    clock = ManualClock()
    circuits = Circuits(CONFIG, clock.time)
    circuits.learn("s", 1, OPEN, 10_000_000)
    circuits.learn("s", 3, OPEN, 5_000_000)
    circuits.learn("s", 2, CLOSED)
    assert circuits.state("s") is OPEN
    clock.advance(5)
    assert circuits.state("s") is HALF_OPEN
    circuits.learn("s", 4, OPEN, 10**15)  # no circuit is open for longer than its timeout
    clock.advance(1_000)
    assert circuits.state("s") is HALF_OPEN
    circuits.learn("new", 5, CLOSED)
    assert len(circuits) == 1
