"""The reservations of a gate in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate._support.arguments import seconds_to_wait
from sluicegate.gate.reservation import Reservation

if TYPE_CHECKING:
    from sluicegate._core import GateCall, GateDecision

__all__ = ["reserved"]


def reserved(call: GateCall, timeout: float | None) -> Reservation:
    """What ``reserve`` gives."""
    seconds_to_wait(timeout)
    return Reservation(_InMemory(call), timeout)


class _InMemory:
    """One call of a gate in this process."""

    __slots__ = ("_call",)

    def __init__(self, call: GateCall) -> None:
        self._call = call

    def acquire_sync(self, timeout: float | None) -> GateDecision:
        return self._call.check()

    async def acquire(self, timeout: float | None) -> GateDecision:
        return self._call.check()

    def examine(self, actual: dict[str, int]) -> None:
        self._call.examine(actual)

    def end_sync(self, decision: GateDecision, actual: dict[str, int] | None) -> None:
        if actual:
            self._call.settle(decision, actual)
        self._call.end(decision, actual is None)

    async def end(self, decision: GateDecision, actual: dict[str, int] | None) -> None:
        self.end_sync(decision, actual)

    def abandon(self, decision: GateDecision) -> None:
        self._call.end(decision, False)
