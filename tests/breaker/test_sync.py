"""Circuits in Redis for threads without an event loop."""

from __future__ import annotations

import asyncio
import signal
import threading
from typing import Any

import pytest

from redis_servers import Server
from sluicegate import RateLimitError
from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitOpenError, CircuitState
from sluicegate.errors import StoreError

QUICK = CircuitConfig(
    failure_threshold=2, failure_rate=0, success_threshold=1, timeout=0.05, rate_limit=None
)
SLOW = CircuitConfig(failure_threshold=2, failure_rate=0, timeout=1_000, rate_limit=3)


class DownError(Exception):
    """Of the service."""


def down() -> None:
    raise DownError


def test_a_circuit_opens_and_closes_as_by_coroutines(redis_server: Server) -> None:
    changes: list[tuple[CircuitState, CircuitState]] = []
    breaker = CircuitBreaker(
        redis_server.url,
        QUICK,
        timeout=30,
        on_change=lambda change: changes.append((change.old, change.new)),
    )
    guarded = breaker.guard("s")(down)
    assert breaker.execute_sync("s", max, 1, 2) == 2
    for call in (guarded, lambda: breaker.execute_sync("s", down)):
        with pytest.raises(DownError):
            call()
    assert breaker.state_sync("s") in (CircuitState.OPEN, CircuitState.HALF_OPEN)
    while breaker.state_sync("s") is not CircuitState.HALF_OPEN:
        pass
    with breaker.guard("s"):
        pass
    assert breaker.state_sync("s") is CircuitState.CLOSED
    closed, opened, half = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
    assert changes == [(closed, opened), (opened, half), (half, closed)]


def test_threads_and_coroutines_share_it(redis_server: Server) -> None:
    one, other = (CircuitBreaker(redis_server.url, SLOW, timeout=30) for _ in range(2))
    with pytest.raises(DownError):
        one.execute_sync("s", down)
    with pytest.raises(DownError):
        asyncio.run(other.execute("s", down))
    with pytest.raises(CircuitOpenError) as refused:
        one.execute_sync("s", down)
    assert 990 < refused.value.retry_after <= 1_000
    assert one.state_sync("s") is CircuitState.OPEN


def test_its_rate_limit_is_kept_and_gives_the_place_back(redis_server: Server) -> None:
    breaker = CircuitBreaker(redis_server.url, SLOW, timeout=30)
    for _ in range(3):
        breaker.execute_sync("s", max, 1, 2)
    with pytest.raises(RateLimitError):
        breaker.execute_sync("s", max, 1, 2)


def test_without_a_server_circuits_here_decide(redis_server: Server) -> None:
    breaker = CircuitBreaker(redis_server.url, SLOW, timeout=0.1)
    strict = CircuitBreaker(redis_server.url, SLOW, timeout=0.1, on_error="raise")
    assert breaker.ping_sync() == strict.ping_sync()
    redis_server.stop()
    for _ in range(2):
        with pytest.raises(DownError):
            breaker.execute_sync("s", down)
    assert breaker.state_sync("s") is CircuitState.OPEN
    with pytest.raises(StoreError):
        strict.execute_sync("s", down)
    redis_server.cont()


def test_a_call_that_is_interrupted_gives_its_place_back(redis_server: Server) -> None:
    """The only probe's place is taken by a call that Ctrl-C ends before it is answered."""
    config = CircuitConfig(
        failure_threshold=1, failure_rate=0, success_threshold=1, timeout=0.05, probe_lease=1_000
    )
    breaker = CircuitBreaker(redis_server.url, config, timeout=30)
    with pytest.raises(DownError):
        breaker.execute_sync("s", down)
    while breaker.state_sync("s") is not CircuitState.HALF_OPEN:
        pass
    main = threading.main_thread().ident
    assert main is not None
    redis_server.stop()
    timer = threading.Timer(0.1, signal.pthread_kill, (main, signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        breaker.execute_sync("s", max, 1, 2)
    timer.join()
    redis_server.cont()
    breaker.execute_sync("other", max, 1, 2)
    assert breaker.execute_sync("s", max, 1, 2) == 2


def test_where_a_loop_runs_a_block_is_refused(redis_server: Server) -> None:
    breaker = CircuitBreaker(redis_server.url, SLOW, timeout=30)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="async with"):
            breaker.execute_sync("s", max, 1, 2)
        with pytest.raises(RuntimeError, match="async with"), breaker.guard("s"):
            pass
        assert breaker.state_sync("s") is CircuitState.CLOSED
        assert await breaker.execute("s", max, 1, 2) == 2

    asyncio.run(main())


def test_closed_it_opens_again_and_bad_arguments_are_refused(redis_server: Server) -> None:
    breaker = CircuitBreaker(redis_server.url, SLOW, timeout=30)
    breaker.close()
    assert breaker.execute_sync("s", max, 1, 2) == 2
    key: Any = 1
    for call in (breaker.state_sync, breaker.guard, lambda key: breaker.execute_sync(key, max)):
        with pytest.raises(TypeError, match="key must be a str"):
            call(key)
    memory = CircuitBreaker()
    memory.close()
    with pytest.raises(TypeError, match="no server"):
        memory.ping_sync()
