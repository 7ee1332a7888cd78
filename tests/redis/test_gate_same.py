"""A gate in Redis says, spends, gives back and counts what one in memory does, call by call."""

from __future__ import annotations

from typing import Any

import pytest

from gate_same import difference
from redis_servers import Server
from sluicegate import GateDecision, Limit
from sluicegate.gate.reservation import Reservation
from sluicegate.redis import Gate


def gate_in(server: Server, kind: type[Gate], seed: int) -> Any:
    def made(limits: list[Limit]) -> Gate:
        options: dict[str, Any] = {"timeout": 10, "on_error": "raise", "remember": False}
        return kind(server.url, limits, name=f"g{seed}", **options)

    return made


def differs(server: Server, kind: type[Gate], seeds: range) -> Any:
    found = (difference(seed, gate_in(server, kind, seed)) for seed in seeds)
    return next((each for each in found if each is not None), None)


def test_call_by_call(redis_server: Server) -> None:
    assert differs(redis_server, Gate, range(30)) is None


@pytest.mark.long
def test_call_by_call_often(redis_server: Server) -> None:
    assert differs(redis_server, Gate, range(30, 1_000)) is None


class ForgetsToGiveBack(Gate):
    """A refund is taken, and nothing comes back."""

    def refund_sync(self, keys: Any, decision: GateDecision) -> None: ...


class Kept(Reservation):
    def cancel(self) -> None:
        super().cancel()
        self._used = {}


class KeepsWhatWasCancelled(Gate):
    """The estimate of a reservation that is cancelled stays spent."""

    def reserve(self, *args: Any, **kwargs: Any) -> Reservation:
        return Kept(super().reserve(*args, **kwargs)._call, 0)


class ClearsNothing(Gate):
    def clear_sync(self) -> None: ...


class SpendsToLook(Gate):
    """A peek is a check."""

    def peek_sync(self, keys: Any, cost: Any = 1) -> GateDecision:
        return self._core.call(keys, cost).ask()


@pytest.mark.parametrize(
    "mutant", [ForgetsToGiveBack, KeepsWhatWasCancelled, ClearsNothing, SpendsToLook]
)
def test_one_that_is_wrong_is_found_out(redis_server: Server, mutant: type[Gate]) -> None:
    assert differs(redis_server, mutant, range(60)) is not None
