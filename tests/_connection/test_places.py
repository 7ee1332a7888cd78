"""Waiting at several limits by asking: the same are admitted at the same times as at a gate in memory."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from math import inf
from typing import Any

import pytest

import virtual_time
from sluicegate import Gate, GateDecision, Limit, ManualClock
from sluicegate._connection.lines import Lines
from sluicegate._connection.places import Place, Places
from sluicegate._connection.refused import refused_by_several
from sluicegate._connection.waiter import LoopWaiter
from sluicegate.errors import RateLimitError

START = 1_000.0
CALLERS = 25
#: All that happens does so at a whole second and as many milliseconds as the caller's number, by which it
#: came, or as that of one who spent before: so no two things happen at once that could be told apart.
TIMES = sorted(
    round(second + number / 1_000 + half, 3)
    for second in range(120)
    for number in range(CALLERS)
    for half in (0, 0.5)
)
Event = tuple[float, str, int, Any]


def gate_of(seed: int, clock: ManualClock) -> Gate:
    chance = random.Random(seed)
    return Gate(
        [
            Limit(f"{chance.randint(1, 3)}/{chance.randint(2, 9)} seconds", by="user"),
            Limit(f"{chance.randint(2, 5)}/{chance.randint(2, 9)} seconds", by="org"),
        ],
        clock=clock,
    )


def trace_of(seed: int, *, has_timeouts: bool) -> list[Event]:
    """Callers who come and wait, and some who leave: when, what, who, and its keys and timeout."""
    chance = random.Random(seed + 1_000)
    events: list[Event] = []
    for number in range(CALLERS):
        at = chance.randint(0, 12) + number / 1_000
        keys = {"user": chance.choice("abc"), "org": chance.choice([None, "o", "o", "p"])}
        timeout = chance.choice([None, None, chance.randint(0, 15)]) if has_timeouts else None
        events.append((at, "come", number, (keys, timeout)))
        if chance.random() < 0.2:
            events.append((at + chance.randint(0, 9) + 0.5, "leave", number, None))
    return sorted(events, key=lambda event: (event[0], event[2]))


class Told:
    """Who was admitted or refused, and when."""

    def __init__(self) -> None:
        self.told: list[tuple[float, int, bool]] = []

    def note(self, at: float, number: int, decision: GateDecision) -> None:
        self.told.append((round(at - START, 3), number, decision.allowed))


async def in_memory(seed: int) -> Told:
    clock, told = ManualClock(START), Told()
    gate, tasks = gate_of(seed, clock), {}

    async def wait(number: int, keys: Any, timeout: float | None) -> None:
        decision = await gate.wait(keys, timeout=timeout)
        told.note(clock.time(), number, decision)

    async def settle() -> None:
        for _ in range(6):
            await asyncio.sleep(0)

    trace = trace_of(seed, has_timeouts=False)
    for at in TIMES:
        clock.advance(max(round(START + at - clock.time(), 6), 0))
        await settle()
        while trace and round(trace[0][0], 3) == at:
            _, what, number, given = trace.pop(0)
            if what == "come":
                tasks[number] = asyncio.ensure_future(wait(number, *given))
            else:
                tasks[number].cancel()
            await settle()
        if not trace and all(task.done() for task in tasks.values()):
            return told
    raise AssertionError("somebody was left behind")


async def by_asking(seed: int, trace: list[Event]) -> tuple[Told, int]:
    loop, clock, told = asyncio.get_running_loop(), ManualClock(START), Told()
    gate, tasks, asked = gate_of(seed, clock), {}, 0
    places: Places[GateDecision] = Places(1.0, Lines(loop.time))

    class Call:
        asks_in_turn = False

        def __init__(self, keys: Any) -> None:
            self.keys = keys

        def places(self) -> dict[str, Place]:
            found = {part.name: self.keys[part.limit.by] for part in gate.parts}
            return {name: (name, key.encode()) for name, key in found.items() if key is not None}

        def move(self) -> None:
            nonlocal asked
            asked += 1
            clock.advance(max(round(loop.time() - clock.time(), 6), 0))

        async def check(self) -> GateDecision:
            self.move()
            return gate.check(self.keys)

        async def peek(self) -> GateDecision:
            self.move()
            return gate.peek(self.keys)

        def refused_by(self, decision: GateDecision) -> tuple[str, ...]:
            return decision.refused_by

        def behind(self, decision: GateDecision, waits: Mapping[str, float]) -> GateDecision:
            return refused_by_several(decision, waits, self.places())

        def wait(self, decision: GateDecision, left: float) -> float:
            return inf if decision.retry_after > left + 1e-6 else decision.retry_after

        def free_after(self, decision: GateDecision, name: str) -> float:
            return decision.limits[name].retry_after

        def may_be_sooner(self, _: str) -> bool:
            return False

    async def wait(number: int, keys: Any, timeout: float | None) -> None:
        seconds = inf if timeout is None else timeout + 1e-6
        decision = await places.decided(Call(keys), LoopWaiter, seconds)
        told.note(loop.time(), number, decision)

    for at, what, number, given in trace:
        await asyncio.sleep(max(START + at - loop.time(), 0))
        if what == "come":
            tasks[number] = asyncio.ensure_future(wait(number, *given))
        else:
            tasks[number].cancel()
        for _ in range(10):
            await asyncio.sleep(0)
    with contextlib.suppress(asyncio.CancelledError, RateLimitError):
        await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert len(places) == 0
    assert not places.lines.lines
    return told, asked


@pytest.mark.parametrize("seed", range(40))
def test_the_same_are_admitted_at_the_same_times(seed: int) -> None:
    expected = asyncio.run(in_memory(seed))
    told, asked = virtual_time.run(by_asking(seed, trace_of(seed, has_timeouts=False)))
    when = {number: at for at, number, _ in expected.told}
    assert {number for _, number, _ in told.told} == set(when)
    # A step of the clock in memory, which may round the other way.
    assert all(abs(at - when[number]) <= 0.002 for at, number, _ in told.told)
    assert asked < CALLERS * 12, "the server is asked when there may be room, and not all the time"


@pytest.mark.parametrize("seed", range(20))
def test_nobody_waits_longer_than_he_would(seed: int) -> None:
    trace = trace_of(seed, has_timeouts=True)
    told, _ = virtual_time.run(by_asking(seed, trace))
    came = {number: (at, given[1]) for at, what, number, given in trace if what == "come"}
    left = {number for _, what, number, _ in trace if what == "leave"}
    assert {number for _, number, _ in told.told} | left == set(came)
    for at, number, allowed in told.told:
        came_at, timeout = came[number]
        assert timeout is None or at <= came_at + timeout + 0.001
        assert allowed or timeout is not None
