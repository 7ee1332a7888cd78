"""A call of a gate that asks again and again until it is admitted: when it asks, and in which order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from sluicegate._connection.bridge import running_loop
from sluicegate._connection.refused import refused_by_several
from sluicegate._connection.seconds import pauses
from sluicegate._connection.waiter import LoopWaiter, ThreadWaiter
from sluicegate._support.awaiting import at_once

if TYPE_CHECKING:
    from sluicegate._connection.places import Place, Places
    from sluicegate._core import GateDecision

__all__ = ["Asking", "Asks", "in_loop", "in_thread"]


class Asks(Protocol):
    """What is asked of the limits of a gate."""

    @property
    def has_permits(self) -> bool: ...

    def are_permits(self, name: str, /) -> bool: ...

    def places(self) -> dict[str, Place]: ...


class Asking:
    """One such call. Those that derive from it say how it asks."""

    #: As it may be refused nowhere, those before it may be no concern of its.
    asks_in_turn = False
    #: Its gate, where it waits in ``_places``.
    gate: Any
    call: Any
    #: Of the last refusal, after so many seconds permits are asked for again.
    _again = 0.0

    @cached_property
    def _pauses(self) -> Iterator[float]:
        return pauses()

    async def check(self) -> GateDecision:
        raise NotImplementedError

    async def peek(self) -> GateDecision:
        raise NotImplementedError

    def places(self) -> Mapping[str, Place]:
        call: Asks = self.call
        return call.places()

    def refused_by(self, decision: GateDecision) -> tuple[str, ...]:
        return decision.refused_by

    def wait(self, decision: GateDecision, left: float) -> float:
        """Permits may be free before a lease ends, when they are given back: they are asked for often."""
        call: Asks = self.call
        refusing = decision.refused_by
        known = [
            decision.limits[name].retry_after for name in refusing if not call.are_permits(name)
        ]
        if len(known) < len(refusing):
            self._again = next(self._pauses)
        wait = max([self.free_after(decision, name) for name in refusing], default=0.0)
        if max(known, default=0) > left or left <= 0 or (not call.has_permits and wait > left):
            return inf
        return min(wait, left)

    def free_after(self, decision: GateDecision, name: str) -> float:
        call: Asks = self.call
        return self._again if call.are_permits(name) else decision.limits[name].retry_after

    def may_be_sooner(self, name: str) -> bool:
        call: Asks = self.call
        return call.are_permits(name)

    def behind(self, decision: GateDecision, waits: Mapping[str, float]) -> GateDecision:
        return refused_by_several(decision, waits, self.places())


async def in_loop(asking: Asking, seconds: float) -> GateDecision:
    """The decision that admits a call, or that tells of a wait beyond so many seconds."""
    if seconds == 0:
        return await asking.check()
    running_loop()
    places: Places[GateDecision] = asking.gate._places  # noqa: SLF001
    return await places.decided(asking, LoopWaiter, seconds)


def in_thread(asking: Asking, seconds: float) -> GateDecision:
    """The same for a thread, which sleeps meanwhile."""
    if seconds == 0:
        return at_once(asking.check())
    places: Places[GateDecision] = asking.gate._places  # noqa: SLF001
    return at_once(places.decided(asking, ThreadWaiter, seconds))
