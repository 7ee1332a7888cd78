"""A call of a gate that asks again and again until it is admitted: where it stands, and when it asks."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from random import uniform
from typing import TYPE_CHECKING, Any, Protocol

from sluicegate._connection.bridge import running_loop
from sluicegate._connection.places import LoopPlaces
from sluicegate._support.awaiting import at_once

if TYPE_CHECKING:
    from sluicegate._connection.places import Place
    from sluicegate._connection.thread_queue import ThreadPlaces
    from sluicegate._core import GateDecision
    from sluicegate._support.per_loop import PerLoop

__all__ = ["Asking", "Asks", "in_loop", "in_thread", "look_again"]

# Nobody knows when a permit is free: it is asked for again after so many seconds, which double.
_SHORTEST, _LONGEST = 0.005, 0.1
_LEAST = 0.000001


class Asks(Protocol):
    """What is asked of the limits of a gate."""

    @property
    def has_permits(self) -> bool: ...

    def are_permits(self, name: str) -> bool: ...

    def places(self) -> dict[str, Place]: ...


class HasPlaces(Protocol):
    """A gate at which calls wait."""

    _places: PerLoop[LoopPlaces]
    _thread_places: ThreadPlaces


class Asking:
    """One such call. Those that derive from it say how it asks."""

    gate: Any
    call: Any
    _pause = _SHORTEST

    async def check(self) -> GateDecision:
        raise NotImplementedError

    async def peek(self) -> GateDecision:
        raise NotImplementedError

    def places(self) -> Mapping[str, Place]:
        places: dict[str, Place] = self.call.places()
        return places

    def wait(self, decision: GateDecision, left: float) -> float:
        """Permits may be free before a lease ends, when they are given back: they are asked for often."""
        call: Asks = self.call
        waits = [self.free_after(decision, name) for name in decision.refused_by]
        known = [
            decision.limits[name].retry_after
            for name in decision.refused_by
            if not call.are_permits(name)
        ]
        wait = max([*waits, *known, _LEAST])
        if max(known, default=0) > left or left <= 0 or (not call.has_permits and wait > left):
            return inf
        if len(known) < len(waits):
            self._pause = min(2 * self._pause, _LONGEST)
        return min(wait, left)

    def free_after(self, decision: GateDecision, name: str) -> float:
        call: Asks = self.call
        if call.are_permits(name):
            return self._pause * uniform(0.75, 1.25)
        return decision.limits[name].retry_after


async def in_loop(asking: Asking, seconds: float) -> GateDecision:
    """The decision that admits a call, or that tells of a wait beyond so many seconds."""
    if seconds == 0:
        return await asking.check()
    loop = running_loop()
    places: LoopPlaces = asking.gate._places.here(loop, LoopPlaces)  # noqa: SLF001
    return await places.decided(asking, loop.time() + seconds)


def in_thread(asking: Asking, seconds: float) -> GateDecision:
    """The same for a thread, which sleeps meanwhile."""
    if seconds == 0:
        return at_once(asking.check())
    places: ThreadPlaces = asking.gate._thread_places  # noqa: SLF001
    return at_once(places.decided(asking, places.now() + seconds))


def look_again(gate: HasPlaces) -> None:
    """Something came back or was changed: those who wait in this process shall ask."""
    gate._thread_places.look_again()  # noqa: SLF001
    for places in gate._places.all():  # noqa: SLF001
        places.look_again_there()
