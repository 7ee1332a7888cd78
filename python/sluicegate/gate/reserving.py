"""The reservations of a gate in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate._core import gate_enqueue, gate_wait_sync
from sluicegate._support.arguments import seconds_to_wait
from sluicegate.gate.reservation import Reservation

if TYPE_CHECKING:
    from sluicegate._core import Bells, GateCall, GateDecision, GateTicket
    from sluicegate.gate.reservation import Used

__all__ = ["reserved", "waited"]


def reserved(call: GateCall, timeout: float | None) -> Reservation:
    """What ``reserve`` gives."""
    seconds_to_wait(timeout)
    return Reservation(_InMemory(call), timeout)


async def waited(call: GateCall, timeout: float | None) -> GateDecision:
    """The decision of a call that waits for it in a coroutine."""
    admitted = call.admit_at_once(timeout)
    if admitted is not None:
        return admitted
    from sluicegate._support.waiting.in_line import wait_in_line

    def enqueue(bells: Bells, number: int) -> GateTicket | GateDecision:
        return gate_enqueue(call, timeout, bells, number)

    return await wait_in_line(enqueue)


class _InMemory:
    """One call of a gate in this process."""

    __slots__ = ("_call",)

    def __init__(self, call: GateCall) -> None:
        self._call = call

    def acquire_sync(self, timeout: float | None) -> GateDecision:
        return self._call.check() if timeout == 0 else gate_wait_sync(self._call, timeout)

    async def acquire(self, timeout: float | None) -> GateDecision:
        return self._call.check() if timeout == 0 else await waited(self._call, timeout)

    def examine(self, actual: Used) -> None:
        self._call.examine(actual)

    def end_sync(self, decision: GateDecision, actual: Used | None) -> None:
        if actual:
            self._call.settle(decision, actual)
        self._call.end(decision, actual is None)

    async def end(self, decision: GateDecision, actual: Used | None) -> None:
        self.end_sync(decision, actual)

    def give_up(self) -> None:
        self._call.give_up()

    def abandon(self, decision: GateDecision) -> None:
        self._call.end(decision, False)
