"""Those who wait at several limits in Redis, each at those that refuse it: in order of arrival."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Awaitable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from itertools import count
from math import inf
from typing import Any, ClassVar, NamedTuple, Protocol
from weakref import ref

from sluicegate._connection.line import Line
from sluicegate._connection.refused import refused
from sluicegate._connection.wait_queue import Waiter
from sluicegate._core import Decision, GateDecision

__all__ = ["Caller", "LoopPlaces", "Place", "Places"]

#: A limit's name, and a key.
Place = tuple[str, bytes]

# Should a wake-up be lost, the second of a line looks for itself after so many seconds.
_LOOKS_AFTER = 1.0


class Caller(Protocol):
    """A call that waits: where, and how it asks."""

    def places(self) -> Mapping[str, Place]:
        """Those of all limits that it concerns, by their names."""
        ...

    def check(self) -> Awaitable[GateDecision]: ...

    def peek(self) -> Awaitable[GateDecision]: ...

    def wait(self, decision: GateDecision, left: float) -> float:
        """Seconds until it asks again after a refusal; ``inf``: more than are left."""
        ...

    def free_after(self, decision: GateDecision, name: str) -> float:
        """Seconds until a limit that refuses may admit it."""
        ...


class _Call(NamedTuple):
    waiter: Waiter
    caller: Caller


class Places:
    """The lines of one event loop. Who is first at all its places asks the server, the others sleep.

    So the server is asked by one for each line, and only that one has a timer.
    """

    make_waiter: ClassVar[type[Waiter]] = Waiter
    lock: ClassVar[AbstractContextManager[Any]] = nullcontext()

    def __init__(self) -> None:
        self._lines: dict[Place, Line] = {}
        # Weak, as a coroutine that is closed near the recursion limit runs no `finally`.
        self._waiters: dict[int, ref[Waiter]] = {}
        self._held: dict[int, tuple[Place, ...]] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._waiters)

    @staticmethod
    def now() -> float:
        return get_running_loop().time()

    async def decided(self, caller: Caller, deadline: float) -> GateDecision:
        """What the server says when it admits, or tells of a wait beyond the deadline."""
        waiter = self._arrive(caller.places().values(), deadline)
        call = _Call(waiter, caller)
        try:
            while await self._come_first(call):
                decision = await caller.check()
                if decision.allowed or not self._refuse(call, decision):
                    return decision
            return self._behind(await caller.peek(), caller.places(), waiter)
        finally:
            waiter.is_over = True
            self._leave(waiter)

    def look_again(self) -> None:
        """Something has changed: who is first in a line shall ask."""
        with self.lock:
            for place in list(self._lines):
                first = self._first(place)
                if first is not None:
                    self._lines[place].free_at = first.asks_at = -inf
                    first.wake()

    def _arrive(self, places: Iterable[Place], deadline: float) -> Waiter:
        """Behind all who wait at one of these places."""
        with self.lock:
            waiter = self.make_waiter(next(self._numbers))
            waiter.deadline = deadline
            self._waiters[waiter.number] = ref(waiter)
            self._hold(waiter, [place for place in places if self._first(place)])
            return waiter

    def _refuse(self, call: _Call, decision: GateDecision) -> bool:
        """It waits where it is refused now or others came before it, and is passed elsewhere.

        ``False``: that would take too long.
        """
        waiter, now = call.waiter, self.now()
        wait = call.caller.wait(decision, waiter.deadline - now)
        if wait == inf:
            return False
        call.waiter.asks_at = now + wait
        with self.lock:
            places, refusing = call.caller.places(), decision.refused_by
            stays = [
                place
                for name, place in places.items()
                if name in refusing or self._has_earlier(place, waiter)
            ]
            self._hold(waiter, stays)
            for name in refusing:
                if self._first(places[name]) is waiter:
                    line = self._lines[places[name]]
                    for number in line.tell(now + call.caller.free_after(decision, name)):
                        impatient = self._known(number)
                        if impatient is not None:
                            impatient.wake()
        return True

    def _stand_behind(self, call: _Call) -> tuple[Place, ...]:
        """Where it stands: also where one who came before it has come back meanwhile."""
        waiter = call.waiter
        held = self._held[waiter.number]
        more = [
            place for place in call.caller.places().values() if self._has_earlier(place, waiter)
        ]
        if not all(place in held for place in more):
            self._hold(waiter, dict.fromkeys([*held, *more]))
        return self._held[waiter.number]

    def _has_earlier(self, place: Place, waiter: Waiter) -> bool:
        first = self._first(place)
        return first is not None and first.number < waiter.number

    def _leave(self, waiter: Waiter) -> None:
        with self.lock:
            self._hold(waiter, ())
            self._waiters.pop(waiter.number, None)
            self._held.pop(waiter.number, None)

    def _hold(self, waiter: Waiter, places: Iterable[Place]) -> None:
        """Stand at these places and at no other, and wake who is first now where it stood."""
        number = waiter.number
        before, now = self._held.get(number, ()), tuple(places)
        self._held[number] = now
        for place in now:
            if place not in before:
                self._lines.setdefault(place, Line()).enter(number, waiter.deadline)
        for place in before:
            if place not in now and place in self._lines:
                self._lines[place].leave(number)
                first = self._first(place)
                if first is not None:
                    first.wake()

    def _first(self, place: Place) -> Waiter | None:
        """Without those whose leaving was interrupted."""
        line = self._lines.get(place)
        while line is not None and line.numbers:
            number = line.numbers[0]
            waiter = self._known(number)
            if waiter is not None:
                return waiter
            self._forget(number)
            line.leave(number)  # whatever an interruption had left of it
        self._lines.pop(place, None)
        return None

    def _forget(self, number: int) -> None:
        """One who is gone leaves all its places."""
        for place in self._held.pop(number, ()):
            if place in self._lines:
                self._lines[place].leave(number)
        self._waiters.pop(number, None)

    def _known(self, number: int) -> Waiter | None:
        known = self._waiters.get(number)
        waiter = None if known is None else known()
        return None if waiter is None or waiter.is_over else waiter

    async def _come_first(self, call: _Call) -> bool:
        """Whether it may ask, first at all its places, in time as far as is known."""
        waiter = call.waiter
        while True:
            now = self.now()
            with self.lock:
                waiter.is_woken = False
                held = self._stand_behind(call)
                firsts = [place for place in held if self._first(place) is waiter]
                is_first = len(firsts) == len(held)
                free_at = max((self._lines[place].free_at for place in held), default=-inf)
                looks_at = min((self._lines[place].free_at for place in firsts), default=inf)
                is_second = any(self._is_second(waiter, place) for place in held)
            if is_first and call.waiter.asks_at <= now:
                return True
            if now >= waiter.deadline or free_at > waiter.deadline:
                return False
            if looks_at <= now:
                # Where it would be admitted by now it holds up nobody.
                if not self._refuse(call, await call.caller.peek()):
                    return False
                continue
            until = min(waiter.deadline, looks_at, call.waiter.asks_at if is_first else inf)
            await waiter.sleep(min(until - now, _LOOKS_AFTER if is_second else inf))

    def _is_second(self, waiter: Waiter, place: Place) -> bool:
        return self._lines[place].numbers[1:2] == [waiter.number]

    def _behind(
        self, decision: GateDecision, places: Mapping[str, Place], waiter: Waiter
    ) -> GateDecision:
        """A look, as a refusal by the limits at which others are first."""
        limits: dict[str, Decision] = dict(decision.limits)
        with self.lock:
            for name, place in places.items():
                if place in self._held.get(waiter.number, ()) and name in limits:
                    line = self._lines.get(place)
                    wait = 0.0 if line is None else line.free_at - self.now()
                    limits[name] = refused(limits[name], wait)
        return GateDecision(limits, [name for name in limits if name not in places])


class LoopPlaces(Places):
    """Those of an event loop, which other threads may have look again."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = ref(get_running_loop())

    def look_again_there(self) -> None:
        loop = self._loop()
        if loop is not None and len(self):
            with suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(self.look_again)
