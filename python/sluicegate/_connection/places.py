"""Those who wait at limits in Redis, each at those that refuse it: in order of arrival."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from math import inf
from typing import Generic, Protocol, TypeVar

from sluicegate._connection.lines import Lines, Place
from sluicegate._connection.waiter import Waiter
from sluicegate._support.limits_off import call_when_off

__all__ = ["Caller", "Outcome", "Place", "Places"]

# Should a wake-up be lost, or those before it not move, one looks for itself after so many seconds.
_LOOKS_AFTER = 1.0
# Nobody asks again sooner.
_LEAST = 0.000001


class Outcome(Protocol):
    """What one who asks is told: a decision, or a permit."""

    @property
    def allowed(self) -> bool: ...


D = TypeVar("D", bound=Outcome)


class Caller(Protocol[D]):
    """A call that waits: where, and how it asks."""

    @property
    def asks_in_turn(self) -> bool:
        """Whether it stands in line before it was ever refused: then one asks at a time."""
        ...

    def places(self) -> Mapping[str, Place]:
        """Those of all limits that it concerns, by their names."""
        ...

    def check(self) -> Awaitable[D]: ...

    def peek(self) -> Awaitable[D]: ...

    def refused_by(self, decision: D, /) -> Collection[str]:
        """The names of the limits that refuse it."""
        ...

    def wait(self, decision: D, left: float, /) -> float:
        """Seconds until it asks again after a refusal; ``inf``: more than are left."""
        ...

    def free_after(self, decision: D, name: str, /) -> float:
        """Seconds until a limit that refuses may admit it."""
        ...

    def may_be_sooner(self, name: str, /) -> bool:
        """Whether that is a guess, as of permits, which are given back at any time."""
        ...

    def behind(self, decision: D, waits: Mapping[str, float], /) -> D:
        """A look, as a refusal by limits at which others are first for so many seconds."""
        ...


class Places(Generic[D]):
    """The lines of a limiter, for all event loops and threads of this process together.

    Who is first at all its places asks the server, the others sleep. So the server is asked by one for
    each line, and only that one has a timer, and one more for each event loop.

    An answer takes no more than ``patience`` seconds. Times are those of ``now``, which all share.
    """

    def __init__(self, patience: float, lines: Lines | None = None) -> None:
        self.lines = Lines() if lines is None else lines
        self._patience = patience
        # Another one whenever something came back: a refusal from before may hold no longer.
        self._epoch = object()
        call_when_off(self.look_again)

    def __len__(self) -> int:
        return len(self.lines)

    def now(self) -> float:
        return self.lines.now()

    async def decided(self, caller: Caller[D], make: Callable[[int], Waiter], seconds: float) -> D:
        """What the server says when it admits, or tells of a wait of more than so many seconds."""
        waiter = make(self.lines.next_number())
        try:
            self._arrive(waiter, caller, seconds)
            while await self._come_first(waiter, caller):
                waiter.asked_in = self._epoch
                decision = await caller.check()
                if decision.allowed or not self._refuse(waiter, caller, decision):
                    return decision
            return self._behind(await caller.peek(), waiter, caller)
        finally:
            waiter.is_over = True
            self.lines.leave(waiter)

    def _arrive(self, waiter: Waiter, caller: Caller[D], seconds: float) -> None:
        """Behind all who wait at one of its places."""
        places: Collection[Place] = caller.places().values()
        if not caller.asks_in_turn:
            places = [place for place in places if self.lines.first(place)]
        waiter.due_at = self.now()  # should it be interrupted, it does not move
        waiter.deadline = waiter.due_at + seconds
        self.lines.hold(waiter, places)

    def look_again(self, *places: Place) -> None:
        """Something has changed, at these places or wherever it was: who is first in a line shall ask."""
        self._epoch = object()
        for place in places or self.lines.lines:
            line = self.lines.line(place)
            if line is not None:
                line.knows_nothing()
                self.lines.wake_first(place)

    def _refuse(self, waiter: Waiter, caller: Caller[D], decision: D) -> bool:
        """It waits where it is refused now or others came before it, and is passed elsewhere.

        ``False``: that would take too long.
        """
        lines, now = self.lines, self.now()
        wait = caller.wait(decision, waiter.deadline - now)
        if wait == inf:
            return False
        waiter.asks_at = now + max(wait, _LEAST)
        places, refusing = caller.places(), caller.refused_by(decision)
        stays = [
            place
            for name, place in places.items()
            if name in refusing or lines.has_earlier(place, waiter)
        ]
        lines.hold(waiter, stays)
        for name in refusing:
            if lines.first(places[name]) is waiter:
                looks_at = now + caller.free_after(decision, name)
                self._tell(places[name], looks_at, -inf if caller.may_be_sooner(name) else looks_at)
        return True

    def _tell(self, place: Place, looks_at: float, free_at: float) -> None:
        """Who cannot wait so long need not wait."""
        line = self.lines.line(place)
        for number in () if line is None else line.tell(looks_at, free_at):
            impatient = self.lines.known(number)
            if impatient is not None:
                self.lines.wake(impatient)

    def _stand_behind(self, waiter: Waiter, caller: Caller[D]) -> tuple[Place, ...]:
        """Where it stands: also where one who came before it has come back meanwhile."""
        has_earlier = self.lines.has_earlier
        behind: list[Place] = [p for p in caller.places().values() if has_earlier(p, waiter)]
        held = tuple(dict.fromkeys([*waiter.lines, *behind]))
        self.lines.hold(waiter, held)
        return held

    async def _come_first(self, waiter: Waiter, caller: Caller[D]) -> bool:
        """Whether it may ask, first at all its places, in time as far as is known."""
        lines = self.lines
        while True:
            # One epoch for all below: a look in a later one would pass for a question in that.
            now, epoch = self.now(), self._epoch
            # As long as a question may take.
            waiter.due_at, waiter.is_woken = now + self._patience, False
            waiter.looks_out = False
            held = self._stand_behind(waiter, caller)
            firsts = [place for place in held if lines.first(place) is waiter]
            is_first = len(firsts) == len(held)
            asks_at = waiter.asks_at if waiter.asked_in is epoch else -inf
            if is_first and asks_at <= now:
                return True
            free_at = max(map(lines.free_at, held), default=-inf)
            if now >= waiter.deadline or free_at > waiter.deadline:
                return False
            looks_at = min(map(lines.looks_at, firsts), default=inf)
            if looks_at <= now:
                # Where it would be admitted by now it holds up nobody.
                waiter.asked_in = epoch
                if not self._refuse(waiter, caller, await caller.peek()):
                    return False
                continue
            until = min(waiter.deadline, looks_at, asks_at if is_first else inf)
            await self._sleep(waiter, until, held)

    async def _sleep(self, waiter: Waiter, until: float, held: Collection[Place]) -> None:
        waiter.looks_out = any(self.lines.looks_out(place, waiter) for place in held)
        seconds = max(until - self.now(), 0)
        waiter.due_at, waiter.is_asleep = until, True
        try:
            await waiter.sleep(min(seconds, _LOOKS_AFTER) if waiter.looks_out else seconds)
        finally:
            waiter.is_asleep = False

    def _behind(self, decision: D, waiter: Waiter, caller: Caller[D]) -> D:
        """A look, as a refusal by the limits at which others are first."""
        held, now = waiter.lines, self.now()
        waits = {
            name: max(self.lines.free_at(place) - now, 0)
            for name, place in caller.places().items()
            if place in held
        }
        return caller.behind(decision, waits)
