"""A gate in Redis in other processes and while limits are off."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
from collections.abc import Iterator
from typing import Any

import pytest

from in_loop import in_loop
from redis_servers import Server
from sluicegate import Limit
from sluicegate.redis import Gate
from sluicegate.testing import limits_off

LIMITS = [Limit("5/hour", by="user"), Limit("100 tokens/hour", by="model")]
KEYS = {"user": "u", "model": "m"}


@pytest.fixture
def gate(redis_server: Server) -> Iterator[Gate]:
    gate = Gate(redis_server.url, LIMITS, name="shared", timeout=10, on_error="raise")
    gate.reset_sync(KEYS)
    yield gate
    gate.close()


def left(gate: Gate) -> list[int]:
    told = gate.peek_sync(KEYS, {"tokens": 1})
    return [each.remaining for each in told.limits.values()]


@in_loop
async def test_while_limits_are_off_nothing_is_spent(gate: Gate) -> None:
    with limits_off():
        for _ in range(9):
            decision = await gate.check(KEYS, {"tokens": 50})
            assert decision
        async with gate.reserve(KEYS, {"tokens": 50}) as reservation:
            reservation.settle(tokens=90)
        await gate.refund(KEYS, decision)
        assert await gate.wait(KEYS, {"tokens": 100})
    told = await gate.peek(KEYS, {"tokens": 1})
    assert [each.remaining for each in told.limits.values()] == [5, 100]


def test_a_copy_has_the_same_state_and_a_pickle_is_refused(gate: Gate) -> None:
    other = copy.copy(gate)
    assert other.check_sync(KEYS, {"tokens": 10})
    assert left(gate) == [4, 90]
    other.close()
    with pytest.raises(TypeError, match="password"):
        pickle.dumps(gate)


def _spend(gate: Gate) -> None:
    assert gate.check_sync(KEYS, {"tokens": 10})
    gate.close()


def test_it_is_handed_to_a_process_that_multiprocessing_starts(gate: Gate) -> None:
    process: Any = multiprocessing.get_context("spawn").Process(target=_spend, args=(gate,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert left(gate) == [4, 90]


def test_a_forked_child_uses_it(gate: Gate) -> None:
    with gate.reserve(KEYS, {"tokens": 10}) as reservation:
        child = os.fork()
        if not child:
            spent = gate.check_sync(KEYS, {"tokens": 10})
            reservation.cancel()
            reservation.__exit__(None, None, None)
            os._exit(0 if spent else 3)
        assert os.waitpid(child, 0)[1] == 0
        assert left(gate) == [3, 80]
        reservation.settle(tokens=4)
    assert left(gate) == [3, 86]
