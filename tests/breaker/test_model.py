"""Circuits in memory and in Redis decide as the slow model does, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from circuit_model import CONFIG, Comparison, a_machine
from redis_servers import Server
from sluicegate import ManualClock
from sluicegate.breaker import CircuitBreaker

START = 1_700_000_000.0


class InMemory:
    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.breaker = CircuitBreaker(config=CONFIG, clock=self.clock)

    def now(self) -> float:
        return self.clock.time()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    def run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        with pytest.raises(StopIteration) as done:
            steps.send(None)
        return done.value.value


class InRedis:
    def __init__(self, server: Server) -> None:
        self.server, self.time = server, START
        server.set_time(START)
        self.loop = asyncio.new_event_loop()
        self.breaker = CircuitBreaker(server.url, CONFIG, timeout=10, on_error="raise")

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds
        self.server.set_time(self.time)

    def run(self, steps: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(steps)


@pytest.fixture
def in_redis(moved_server: Server) -> Iterator[InRedis]:
    world = InRedis(moved_server)
    yield world
    world.run(world.breaker.aclose())
    world.loop.close()


def boundaries(machine: Comparison) -> None:
    """What chance seldom meets: instants at which something ends."""
    machine.call(4, None)
    machine.wait(5)
    machine.call(3, OSError)  # of seven calls
    machine.wait(5)
    machine.call(1, None)  # now of four, but a success opens nothing
    machine.states_agree()
    machine.wait(30)
    machine.call(2, OSError)
    machine.wait(10)
    machine.call(2, OSError)
    machine.states_agree()
    machine.wait(9)
    machine.call(1, OSError)  # the third in the window's ten tenths
    machine.states_agree()
    machine.wait(5)
    machine.enter()
    machine.wait(4)
    machine.leave(0, None)  # the lease has ended at this instant
    machine.states_agree()
    machine.enter()
    machine.wait(4)
    machine.enter()
    machine.enter()  # its place is free at this instant
    machine.enter()
    assert len(machine.inside) == 3
    machine.leave(1, None)
    machine.states_agree()
    machine.leave(1, None)
    machine.states_agree()


def test_boundaries_in_memory() -> None:
    boundaries(Comparison(InMemory(), "boundaries"))


def test_boundaries_in_redis(in_redis: InRedis) -> None:
    boundaries(Comparison(in_redis, "boundaries"))


def test_in_memory() -> None:
    made = count()

    def machine() -> Comparison:
        return a_machine(InMemory(), lambda: str(next(made)))()

    run_state_machine_as_test(machine, settings=settings(max_examples=300, stateful_step_count=60))


def test_in_redis(in_redis: InRedis) -> None:
    names = count()
    run_state_machine_as_test(
        a_machine(in_redis, lambda: str(next(names))),
        settings=settings(max_examples=100, stateful_step_count=50, deadline=None),
    )
    assert in_redis.server.command("DBSIZE") > 0
    lasting = [
        key
        for key in in_redis.server.command("KEYS", "*")
        if in_redis.server.command("TTL", key) < 0
    ]
    assert not lasting
