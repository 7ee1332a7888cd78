"""What a circuit breaker may be given to call, and how the arguments reach it."""

from __future__ import annotations

import asyncio

from sluicegate.breaker import CircuitBreaker


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
