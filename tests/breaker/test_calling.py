"""What a circuit breaker may be given to call, and how the arguments reach it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitState


def test_arguments_of_any_name_pass_through() -> None:
    breaker = CircuitBreaker()

    def found(key: str, func: str) -> str:
        return key + func

    @breaker.guard("s")
    async def found_later(key: str, func: str) -> str:
        return key + func

    assert breaker.execute_sync("s", found, key="a", func="b") == "ab"
    assert breaker.guard("s")(found)(key="a", func="b") == "ab"
    assert asyncio.run(breaker.execute("s", found, key="a", func="b")) == "ab"
    assert asyncio.run(found_later(key="a", func="b")) == "ab"


async def down() -> None:
    raise OSError


def test_a_coroutine_that_nobody_awaits_is_no_success() -> None:
    breaker = CircuitBreaker(config=CircuitConfig(failure_threshold=1))
    with pytest.raises(TypeError, match="func must be a coroutine function"):
        breaker.execute_sync("s", down)
    with pytest.raises(TypeError, match="func must be a coroutine function"):
        breaker.guard("t")(lambda: down())()
    assert breaker.state_sync("s") is breaker.state_sync("t") is CircuitState.OPEN


@pytest.mark.parametrize("argument", ["is_failure", "on_change"])
def test_listeners_are_plain_functions(argument: str) -> None:
    async def listener(_: object) -> bool:
        return False

    options: dict[str, Any] = {argument: listener}
    with pytest.raises(TypeError, match=f"^{argument} must be a plain function, got"):
        CircuitBreaker(**options)
