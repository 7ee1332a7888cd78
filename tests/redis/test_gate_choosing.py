"""Chosen limits of a gate in Redis: as in memory and by the ledgers, awaited and blocking."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chosen_traces import IN_MEMORY, START, Trace
from in_loop import in_loop
from redis_servers import Server
from sluicegate import Gate as MemoryGate
from sluicegate import Limit, ManualClock, Quota, RateLimitError
from sluicegate.errors import StoreError
from sluicegate.redis import Gate

LIMITS = [
    Limit("5/hour", by="user"),
    Limit("100 tokens/hour", by="model"),
    Limit("2 concurrent", by="model", lease_seconds=2),
]
KEYS = {"user": "u", "model": "m"}
Make = Callable[..., Gate]


@pytest.fixture
def make(redis_server: Server) -> Iterator[Make]:
    made: list[Gate] = []

    def gate(limits: Any = LIMITS, **options: Any) -> Gate:
        options = {"timeout": 10, "on_error": "raise"} | options
        made.append(Gate(redis_server.url, limits, **options))
        return made[-1]

    yield gate
    for each in made:
        each.close()


def choice(gate: Gate, *places: int) -> Any:
    return gate._quotas(
        [part.quota if at in places else None for at, part in enumerate(gate.parts)]
    )


def left(gate: Gate) -> list[int]:
    told = gate._peek_by_sync(choice(gate, 0, 1, 2), KEYS, (1, 1, 1))
    return [each.remaining for each in told.limits.values()]


@in_loop
async def test_awaited_and_blocking_verbs_do_the_same(make: Make) -> None:
    gate = make()
    by, cost = choice(gate, 0, 1), (2, 90)
    told = await gate._check_by(by, KEYS, cost)
    assert (list(told.limits), left(gate)) == (["user/hour", "model/tokens/hour"], [3, 10, 2])
    refused = await gate._peek_by(by, KEYS, (1, 11))
    assert refused.refused_by == ("model/tokens/hour",)
    await gate._settle_by(by, KEYS, cost, told, (None, 10))
    assert left(gate) == [3, 90, 2]
    with pytest.raises(ValueError, match="'model/tokens/hour' was put right"):
        await gate._settle_by(by, KEYS, cost, told, (7, 10))
    await gate._settle_by(by, KEYS, cost, told, (7, None))
    told = await gate._peek_by(by, KEYS, (1, 1))
    assert (told.refused_by, told.limits["user/hour"].remaining) == (("user/hour",), 0)


def test_blocking_verbs_check_what_they_are_given(make: Make) -> None:
    gate = make()
    by, cost = choice(gate, 0, 1), (1, 50)
    told = gate._check_by_sync(by, KEYS, cost)
    with pytest.raises(TypeError, match=r"permit of the limit 'model/concurrent'"):
        gate._check_by_sync(choice(gate, 0, 2), KEYS)
    with pytest.raises(ValueError, match=r"cost must be one for each of the 2 limits"):
        gate._check_by_sync(by, KEYS, (1,))
    for decision, keys, used, why in [
        (copy.copy(told), KEYS, (0, 0), "it is a copy"),
        (told, {"user": "v", "model": "m"}, (None, 0), "of other keys"),
        (told, KEYS, (0,), "used must be one for each"),
    ]:
        with pytest.raises(ValueError, match=why):
            gate._settle_by_sync(by, keys, cost, decision, used)
    assert left(gate) == [4, 50, 2]
    gate._settle_by_sync(by, KEYS, cost, told, (0, 150))
    assert left(gate) == [5, 0, 2]
    assert "user/hour" not in gate._check_by_sync(choice(gate, 1), "m", (1,)).limits


@in_loop
async def test_permits_that_are_chosen_are_renewed(make: Make) -> None:
    gate = make()
    by = choice(gate, 0, 2)
    async with gate._reserve_by(by, KEYS, (1, 2)):
        with pytest.raises(RateLimitError):
            await gate._reserve_by(by, KEYS, (1, 1)).__aenter__()
        await asyncio.sleep(2.7)
        assert left(gate) == [4, 100, 0]
    call = gate._reserve_by(by, KEYS, (2, 1))._call
    with pytest.raises(ValueError, match=r"used\[1\] must be None"):
        call.examine((1, 1))
    await call.end(await call.acquire(0), (3, None))
    assert left(gate) == [1, 100, 2]


@pytest.mark.parametrize("on_error", ["open", "local", "raise"])
def test_a_server_that_is_down_leaves_nothing_to_put_right(
    make: Make, redis_server: Server, on_error: str
) -> None:
    gate = make(on_error=on_error, timeout=0.2)
    by = choice(gate, 0, 1)
    told = gate._check_by_sync(by, KEYS, (2, 90))
    redis_server.kill()
    if on_error == "raise":
        with pytest.raises(StoreError):
            gate._settle_by_sync(by, KEYS, (2, 90), told, (1, 95))
        with pytest.raises(ValueError, match="was put right"):
            gate._settle_by_sync(by, KEYS, (2, 90), told, (1, 95))
        return
    gate._settle_by_sync(by, KEYS, (2, 90), told, (1, 95))
    told = gate._check_by_sync(by, KEYS, (1, 1))
    assert told.store == on_error
    gate._settle_by_sync(by, KEYS, (1, 1), told, (0, 3))


def test_a_gate_of_a_thousand_limits_sends_what_is_chosen(make: Make, redis_server: Server) -> None:
    limits = [Limit("9/hour", by=f"by {at}", name=f"limit {at}") for at in range(1_000)]
    gate = make(limits)
    quotas: list[Quota | None] = [None] * 1_000
    quotas[3] = quotas[998] = Quota("9/hour")
    by = gate._quotas(quotas)
    told = gate._check_by_sync(by, {"by 3": "a", "by 998": "b"}, (1, 2))
    assert [each.remaining for each in told.limits.values()] == [8, 7]
    keys = {key.decode() for key in redis_server.command("KEYS", "*")}
    assert len(keys) == 2, keys


@pytest.mark.usefixtures("quiet_log")
def test_random_choices_are_counted_as_in_memory(moved_server: Server) -> None:
    clock, made = ManualClock(START / 1e6), list[Gate]()
    moved_server.moved.micros = START

    def gates(limits: list[Limit]) -> list[Any]:
        options: dict[str, Any] = {"timeout": 30, "on_error": "raise", "remember": False}
        made.append(Gate(moved_server.url, limits, name=f"gate{len(made)}", **options))
        return [MemoryGate(limits, clock=clock), made[-1]]

    def advance(ticks: int) -> None:
        clock.advance(ticks / 1e6)
        moved_server.moved.micros += ticks

    for seed in range(40):
        trace = Trace(seed, IN_MEMORY, gates, advance, moved_server.moved.micros)
        trace.run(40)
        made[-1].close()
