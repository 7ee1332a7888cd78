"""Permits against an obvious model: a set of those who hold, a list of those who wait."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sluicegate import ConcurrencyLimiter
from sluicegate.concurrency import Permit

LIMIT = 3
KEYS = st.sampled_from(["a", "b"])


class Permits(RuleBasedStateMachine):
    """Each waiter is a task; the model says which of them hold a permit by now."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.limiter = ConcurrencyLimiter(LIMIT)
        self.held: dict[str, list[Permit]] = {"a": [], "b": []}
        self.line: dict[str, list[asyncio.Task[Permit]]] = {"a": [], "b": []}

    def turn(self) -> None:
        """Whatever is due in the loop happens."""
        for _ in range(4):
            self.loop.run_until_complete(asyncio.sleep(0))

    def passed_on(self, key: str) -> None:
        """The model: what is free goes to the first in line."""
        self.turn()
        while self.line[key] and len(self.held[key]) < LIMIT:
            first = self.line[key].pop(0)
            assert first.done()
            self.held[key].append(first.result())

    @rule(key=KEYS)
    def acquire(self, key: str) -> None:
        permit = self.limiter.try_acquire(key)
        assert (permit is not None) == (len(self.held[key]) < LIMIT)
        if permit is not None:
            self.held[key].append(permit)

    @rule(key=KEYS)
    def wait(self, key: str) -> None:
        entry = self.limiter.permit(key, timeout=None)
        self.line[key].append(self.loop.create_task(entry.__aenter__()))
        self.passed_on(key)

    @precondition(lambda self: any(self.held.values()))
    @rule(key=KEYS, data=st.data(), drop=st.booleans())
    def release(self, key: str, data: st.DataObject, drop: bool) -> None:
        if not self.held[key]:
            return
        permit = self.held[key].pop(data.draw(st.integers(0, len(self.held[key]) - 1)))
        if drop:
            del permit
        else:
            permit.release()
            permit.release()
            assert not permit.held
        self.passed_on(key)

    @precondition(lambda self: any(self.line.values()))
    @rule(data=st.data(), freed=st.booleans())
    def cancel(self, data: st.DataObject, freed: bool) -> None:
        """One who waits is cancelled; with ``freed``, just after a permit went to the first."""
        key = data.draw(st.sampled_from([key for key, line in self.line.items() if line]))
        at = 0 if freed else data.draw(st.integers(0, len(self.line[key]) - 1))
        if freed:
            self.held[key].pop().release()
        task = self.line[key].pop(at)
        task.cancel()
        self.turn()
        assert task.cancelled()
        self.passed_on(key)

    @invariant()
    def agrees(self) -> None:
        for key, held in self.held.items():
            assert self.limiter.in_use(key) == len(held) <= LIMIT
            assert all(permit.held for permit in held)
            assert not any(task.done() for task in self.line[key])
        assert len(self.limiter) == sum(map(bool, self.held.values()))

    def teardown(self) -> None:
        tasks: list[asyncio.Task[Any]] = self.line["a"] + self.line["b"]
        for task in tasks:
            task.cancel()
        self.turn()
        self.loop.close()
        for permit in self.held["a"] + self.held["b"]:
            permit.release()
        assert len(self.limiter) == 0


TestPermits = Permits.TestCase
