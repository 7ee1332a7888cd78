"""``limits_off``: whatever is limited is not, and who waits goes on."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from polling import until
from sluicegate import ConcurrencyLimiter, FixedWindow, ManualClock, RateLimitError
from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitOpenError, CircuitState
from sluicegate.leaky_bucket import LeakyBucket
from sluicegate.metrics import InstrumentedRateLimiter
from sluicegate.testing import limits_off

Blocking = Callable[[], object]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_those_in_line_go_on_and_spend_nothing(clock: ManualClock) -> None:
    limiter = FixedWindow(1, 1000, clock=clock)
    decided: list[bool] = []

    async def main() -> None:
        limiter.check("k")
        tasks = [asyncio.ensure_future(limiter.wait("k")) for _ in range(3)]
        threads = [
            threading.Thread(target=lambda: decided.append(bool(limiter.wait_sync("t"))))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        await settle()
        until(lambda: limiter.peek("t").retry_after > 1000, "threads wait")
        with limits_off():
            decisions = await asyncio.wait_for(asyncio.gather(*tasks), 20)
            assert [(d.allowed, d.remaining) for d in decisions] == [(True, 1)] * 3
            await asyncio.to_thread(lambda: [thread.join(20) for thread in threads])
        assert not limiter.check("k")
        assert limiter.peek("k").retry_after == 1000, "nobody waits any more"

    asyncio.run(main())
    # One thread of the three was the first of its key.
    assert decided == [True] * 3
    assert limiter.statistics().admitted == 2


def test_those_who_wait_for_a_permit_go_on_beside_the_limit() -> None:
    limiter = ConcurrencyLimiter(1)
    held = limiter.try_acquire("k")
    assert held is not None
    inside: list[bool] = []
    done = threading.Event()

    def in_thread() -> None:
        with limiter.permit("k", timeout=None) as permit:
            inside.append(permit.held)
            done.wait(20)

    async def main() -> None:
        thread = threading.Thread(target=in_thread)
        thread.start()
        entry = limiter.permit("k", timeout=None)
        task = asyncio.ensure_future(entry.__aenter__())
        await settle()
        until(lambda: limiter._waiting("k") == 2, "both wait")
        with limits_off():
            assert (await asyncio.wait_for(task, 20)).held
            until(lambda: inside == [True], "the thread goes on")
        assert (limiter.in_use("k"), limiter._waiting("k")) == (1, 0)
        done.set()
        thread.join(20)
        await entry.__aexit__()
        assert limiter.in_use("k") == 1

    asyncio.run(main())
    held.release()
    assert len(limiter) == 0


def test_checks_with_metrics_are_not_counted() -> None:
    registry, told = CollectorRegistry(), []

    class Hook:
        def refused(self, *args: object) -> None:
            told.append(args)

        admitted = refused

    limiter = FixedWindow(1, 1000)
    counted = InstrumentedRateLimiter(limiter, "free", registry=registry)
    counted.is_allowed("k")
    before = generate_latest(registry)
    with limits_off():
        assert all(counted.is_allowed("k", "/x") for _ in range(200))
        with pytest.raises(TypeError, match="key must be"):
            counted.is_allowed(1)  # type: ignore[arg-type]
    assert generate_latest(registry) == before
    assert not counted.is_allowed("k")


@pytest.mark.parametrize("endpoint", [1, b"/x", [], None.__class__])
def test_an_endpoint_of_a_wrong_type_is_refused_before_anything_is_spent(endpoint: Any) -> None:
    limiter = FixedWindow(5, 1000)
    counted = InstrumentedRateLimiter(limiter, "free", registry=CollectorRegistry())
    for _ in range(2):
        with pytest.raises(TypeError, match="endpoint must be a str, got"):
            counted.is_allowed("k", endpoint)
        assert limiter.peek("k").remaining == 5
    assert limiter.statistics().admitted == 0


def test_a_circuit_lets_everything_through_and_learns_nothing(clock: ManualClock) -> None:
    config = CircuitConfig(failure_threshold=1, timeout=60, rate_limit=1, rate_window=60)
    breaker = CircuitBreaker(config=config, clock=clock)

    def fails() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        breaker.execute_sync("k", fails)
    assert breaker.state_sync("k") is CircuitState.OPEN
    with limits_off():
        assert breaker.execute_sync("k", int) == 0
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                breaker.execute_sync("other", fails)
        assert asyncio.run(breaker.execute("k", int)) == 0
    with pytest.raises(CircuitOpenError):
        breaker.execute_sync("k", int)
    assert breaker.state_sync("other") is CircuitState.CLOSED
    assert breaker.execute_sync("other", int) == 0
    with pytest.raises(RateLimitError):
        breaker.execute_sync("other", int)


def test_a_call_that_began_before_them_gives_its_place_back(clock: ManualClock) -> None:
    config = CircuitConfig(failure_threshold=1, success_threshold=1, timeout=1, rate_limit=None)
    breaker = CircuitBreaker(config=config, clock=clock)
    with pytest.raises(ZeroDivisionError), breaker.guard("k"):
        raise ZeroDivisionError
    clock.advance(1)
    probe = breaker.guard("k")
    probe.__enter__()
    with limits_off():
        probe.__exit__(None, None, None)
    assert breaker.state_sync("k") is CircuitState.CLOSED


def test_a_leaky_bucket_takes_all_and_handles_it_at_once() -> None:
    async def main() -> None:
        handled: list[str] = []
        bucket = LeakyBucket(capacity=2, leak_rate=0.001, handler=handled.append)
        for name in "abc":
            await bucket.submit(name)
            await settle()  # the first is handled at once
        assert (handled, bucket.waiting) == (["a"], 2)
        assert not await bucket.submit("full")
        with limits_off():
            assert [await bucket.submit(str(number)) for number in range(5)] == [True] * 5
            await asyncio.wait_for(bucket.aclose(), 20)
            assert handled == [*"abc", *map(str, range(5))]
            assert not await bucket.submit("closed")
        assert bucket.waiting == 0

    asyncio.run(main())


def test_it_decorates_functions_of_every_kind() -> None:
    limiter = FixedWindow(1, 1000)

    def allowed() -> bool:
        return all(limiter.check("k") for _ in range(3))

    @limits_off()
    def plain() -> bool:
        """A docstring."""
        return allowed()

    @limits_off()
    async def coroutine() -> bool:
        await asyncio.sleep(0)
        return allowed()

    @limits_off()
    def generator() -> Iterator[bool]:
        yield allowed()
        yield allowed()

    @limits_off()
    async def async_generator() -> AsyncIterator[bool]:
        yield allowed()
        await asyncio.sleep(0)
        yield allowed()

    async def collected() -> list[bool]:
        return [step async for step in async_generator()]

    for _ in range(2):
        assert plain()
        assert asyncio.run(coroutine())
        assert list(generator()) == asyncio.run(collected()) == [True, True]
    assert plain.__doc__ == "A docstring."
    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)
    assert limiter.check("k")
    assert not allowed()
    steps = generator()
    assert not limiter.check("k"), "nothing has begun"
    assert next(steps)
    assert limiter.check("k")
    steps.close()  # type: ignore[attr-defined]
    assert not limiter.check("k")


@pytest.mark.parametrize("wrong", [None, 1, FixedWindow])
def test_it_decorates_nothing_else(wrong: Any) -> None:
    with pytest.raises(TypeError, match="func must be a function, got"):
        limits_off()(wrong)
