"""The circuit breaker in memory: article 2's program, and what it promises beyond it."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import Any

import pytest

from sluicegate import ManualClock, RateLimitError
from sluicegate.breaker import (
    CircuitBreaker,
    CircuitConfig,
    CircuitOpenError,
    CircuitState,
    StateChange,
)

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class DownError(Exception):
    """The service does not answer."""


async def fine(answer: Any = "fine") -> Any:
    return answer


async def down() -> None:
    raise DownError


def opened(clock: ManualClock, **options: Any) -> CircuitBreaker:
    """A breaker whose circuit "s" has just opened."""
    breaker = CircuitBreaker(None, CircuitConfig(rate_limit=None), clock=clock, **options)

    async def main() -> None:
        for _ in range(5):
            with pytest.raises(DownError):
                await breaker.execute("s", down)

    asyncio.run(main())
    assert breaker.state_sync("s") is OPEN
    return breaker


def test_the_articles_program(clock: ManualClock) -> None:
    breaker = opened(clock)

    async def main() -> None:
        with pytest.raises(CircuitOpenError) as refused:
            await breaker.execute("s", fine)
        assert refused.value.retry_after == 30.0
        clock.advance(30)
        for n in range(3):
            assert breaker.state_sync("s") is HALF_OPEN
            assert await breaker.execute("s", fine, answer=n) == n
        assert await breaker.state("s") is CLOSED

    asyncio.run(main())
    assert CircuitState("half_open") is HALF_OPEN


def test_failures_that_are_few_or_long_ago_do_not_open(clock: ManualClock) -> None:
    breaker = CircuitBreaker(config=CircuitConfig(rate_limit=None), clock=clock)

    async def main() -> None:
        for n in range(405):  # article 2's breaker opens here: it never forgets a failure
            if n % 81 == 0:
                with pytest.raises(DownError):
                    await breaker.execute("few", down)
            else:
                await breaker.execute("few", fine)
        for _ in range(20):
            with pytest.raises(DownError):
                await breaker.execute("long ago", down)
            clock.advance(20)
        assert await breaker.state("few") is CLOSED
        assert await breaker.state("long ago") is CLOSED

    asyncio.run(main())


def test_of_a_thousand_calls_at_once_exactly_three_probe(clock: ManualClock) -> None:
    breaker = opened(clock)
    clock.advance(30)

    async def main() -> list[Any]:
        answer = asyncio.Event()
        calls = [asyncio.ensure_future(breaker.execute("s", answer.wait)) for _ in range(1_000)]
        await asyncio.sleep(0.01)
        assert sum(not call.done() for call in calls) == 3
        answer.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    results = asyncio.run(main())
    assert sum(result is True for result in results) == 3
    refused = [result for result in results if isinstance(result, CircuitOpenError)]
    assert len(refused) == 997
    assert all(0 < error.retry_after <= 60 for error in refused)
    assert breaker.state_sync("s") is CLOSED


def test_of_many_threads_exactly_three_probe(clock: ManualClock) -> None:
    breaker = opened(clock)
    clock.advance(30)
    together, go = threading.Barrier(32), threading.Event()
    inside: list[int] = []

    def call() -> None:
        together.wait()
        try:
            with breaker.guard("s"):
                inside.append(1)
                go.wait(10)
        except CircuitOpenError:
            together_again.release()

    together_again = threading.Semaphore(0)
    threads = [threading.Thread(target=call) for _ in range(32)]
    for thread in threads:
        thread.start()
    for _ in range(29):
        assert together_again.acquire(timeout=10)
    go.set()
    for thread in threads:
        thread.join()
    assert len(inside) == 3
    assert breaker.state_sync("s") is CLOSED


def test_a_call_that_the_rate_limit_refuses_gives_its_place_back(clock: ManualClock) -> None:
    config = CircuitConfig(failure_threshold=1, success_threshold=1, rate_limit=1, rate_window=600)
    breaker = CircuitBreaker(None, config, clock=clock)

    async def main() -> None:
        with pytest.raises(DownError):
            await breaker.execute("s", down)
        clock.advance(30)
        for _ in range(5):
            with pytest.raises(RateLimitError) as refused:  # not CircuitOpenError: it has a place
                await breaker.execute("s", fine)
            assert refused.value.retry_after > 500
        clock.advance(1_200)
        assert await breaker.execute("s", fine) == "fine"

    asyncio.run(main())


def test_cancelled_and_ignored_calls_count_for_nothing(clock: ManualClock) -> None:
    breaker = opened(clock, ignored=KeyError)
    clock.advance(30)

    async def main() -> None:
        for _ in range(10):
            call = asyncio.ensure_future(breaker.execute("s", asyncio.Event().wait))
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            with pytest.raises(KeyError):
                await breaker.execute("s", {}.__getitem__, "nothing")
        assert await breaker.state("s") is HALF_OPEN
        for _ in range(3):
            await breaker.execute("s", fine)
        assert await breaker.state("s") is CLOSED

    asyncio.run(main())


def test_only_chosen_exceptions_are_failures(clock: ManualClock) -> None:
    breaker = CircuitBreaker(
        None, CircuitConfig(rate_limit=None), exceptions=DownError, clock=clock
    )

    async def main() -> None:
        for _ in range(10):
            with pytest.raises(KeyError):
                await breaker.execute("s", {}.__getitem__, "nothing")
        assert await breaker.state("s") is CLOSED

    asyncio.run(main())


def test_a_result_from_before_a_change_counts_for_nothing(clock: ManualClock) -> None:
    breaker = CircuitBreaker(None, CircuitConfig(rate_limit=None), clock=clock)
    early = [breaker.guard("s") for _ in range(8)]
    for guard in early:
        guard.__enter__()
    for guard in early[:5]:
        guard.__exit__(DownError, None, None)
    clock.advance(30)
    with breaker.guard("s"):
        early[5].__exit__(DownError, None, None)
        early[6].__exit__(None, None, None)
        assert breaker.state_sync("s") is HALF_OPEN
    for _ in range(2):
        with breaker.guard("s"):
            pass
    early[7].__exit__(DownError, None, None)
    assert breaker.state_sync("s") is CLOSED


def test_a_probe_that_hangs_frees_its_place(clock: ManualClock) -> None:
    breaker = opened(clock)
    clock.advance(30)
    hanging = [breaker.guard("s") for _ in range(3)]
    for guard in hanging:
        guard.__enter__()
        clock.advance(10)
    with pytest.raises(CircuitOpenError) as refused:
        breaker.guard("s").__enter__()
    assert refused.value.retry_after == 30
    clock.advance(30)
    with breaker.guard("s"):
        pass
    hanging[0].__exit__(DownError, None, None)  # too late to count
    assert breaker.state_sync("s") is HALF_OPEN
    hanging[1].__exit__(DownError, None, None)
    assert breaker.state_sync("s") is OPEN


def test_sync_functions_decorators_and_blocks(clock: ManualClock) -> None:
    breaker = CircuitBreaker(
        None,
        CircuitConfig(failure_threshold=2),
        is_failure=lambda answer: answer == 500,
        clock=clock,
    )

    @breaker.guard("a")
    def plain(status: int) -> int:
        """Documented."""
        return status

    @breaker.guard("b")
    async def awaited(status: int) -> int:
        return status

    assert plain.__doc__ == "Documented."
    assert [plain(500), plain(500)] == [500, 500]
    with pytest.raises(CircuitOpenError):
        plain(200)
    assert breaker.execute_sync("c", max, 1, 2) == 2

    async def main() -> None:
        assert [await awaited(500), await awaited(500)] == [500, 500]
        with pytest.raises(CircuitOpenError):
            await awaited(200)
        assert await breaker.execute("c", max, 1, 3) == 3
        for _ in range(2):
            async with breaker.guard("d") as guard:
                guard.fail()
        assert await breaker.state("d") is OPEN

    asyncio.run(main())


def test_one_guard_is_for_one_block_at_a_time() -> None:
    guard = CircuitBreaker().guard("s")
    with guard, pytest.raises(RuntimeError, match="one block at a time"), guard:
        pass
    with guard:
        pass


def test_changes_can_be_listened_to(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    seen: list[StateChange] = []

    def listen(change: StateChange) -> None:
        seen.append(change)
        raise ValueError("of the listener's")

    breaker = opened(clock, on_change=listen)
    clock.advance(30)
    for _ in range(3):
        with breaker.guard("s"):
            pass
    assert seen == [
        StateChange("s", CLOSED, OPEN),
        StateChange("s", OPEN, HALF_OPEN),
        StateChange("s", HALF_OPEN, CLOSED),
    ]
    assert caplog.text.count("on_change failed") == 3


def test_circuits_in_which_nothing_counts_take_no_memory(clock: ManualClock) -> None:
    breaker = CircuitBreaker(None, CircuitConfig(rate_limit=None), clock=clock)
    for n in range(10_000):
        with breaker.guard(f"service {n}"):
            pass
        clock.advance(1)
    assert len(breaker._admitter.circuits) <= 200


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("failure_threshold", 0),
        ("failure_threshold", 1.5),
        ("success_threshold", 0),
        ("success_threshold", 10_001),
        ("timeout", 0),
        ("timeout", float("nan")),
        ("rate_limit", 0),
        ("rate_window", -1),
        ("failure_rate", 1.1),
        ("window", "60"),
        ("probe_lease", 0),
    ],
)
def test_bad_configurations(argument: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{argument} must be"):
        CircuitConfig(**{argument: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("config", {}),
        ("exceptions", BaseException),
        ("ignored", ["KeyError"]),
        ("is_failure", 500),
        ("on_change", "print"),
        ("on_error", "open"),
        ("timeout", 0),
        ("clock", 12.5),
    ],
)
def test_bad_arguments(argument: str, value: object) -> None:
    with pytest.raises((ValueError, TypeError), match=f"^{argument} must be"):
        CircuitBreaker(**{argument: value})  # type: ignore[arg-type]


def test_bad_keys_and_functions() -> None:
    breaker = CircuitBreaker()
    with pytest.raises(TypeError, match="key must be a str, got int 5"):
        breaker.guard(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="func must be callable"):
        breaker.guard("s")("not a function")  # type: ignore[type-var]
    with pytest.raises(TypeError, match="func must return its answer"):
        breaker.execute_sync("s", lambda: (yield))
    assert pickle.loads(pickle.dumps(CircuitConfig())) == CircuitConfig()


def test_keys_and_prefixes_are_named_when_they_are_wrong() -> None:
    breaker = CircuitBreaker()
    wrong: Any = 5
    for call in (breaker.guard, breaker.state_sync):
        with pytest.raises(TypeError, match="key must be a str, got int 5"):
            call(wrong)
    with pytest.raises(TypeError, match="prefix must be a str"):
        CircuitBreaker(prefix=wrong)
    with pytest.raises(ValueError, match="prefix must be up to 64 bytes"):
        CircuitBreaker(prefix="{")
