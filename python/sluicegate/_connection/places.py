"""Those who wait at several limits in Redis, each at those that refuse it: in order of arrival."""

from __future__ import annotations

from asyncio import get_running_loop
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, ClassVar
from weakref import ref

from sluicegate._connection.wait_queue import Waiter, refused
from sluicegate._core import Decision, GateDecision

__all__ = ["Place", "Places"]

#: A limit's name, and a key.
Place = tuple[str, str]
Ask = Callable[[], Awaitable[GateDecision]]

# Should a wake-up be lost, the second of a line looks for itself after so many seconds.
_LOOKS_AFTER = 1.0


class _Line:
    """Who waits at one place: numbers in order, and when the first may be admitted there."""

    __slots__ = ("deadlines", "free_at", "numbers")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        #: Those of the waiters, and of some who have left: the soonest first.
        self.deadlines: list[tuple[float, int]] = []
        self.free_at = -inf

    def enter(self, number: int, deadline: float) -> None:
        insort(self.numbers, number)
        if deadline < inf:
            heappush(self.deadlines, (deadline, number))

    def tell(self, free_at: float) -> Iterator[int]:
        """When the first may be admitted; gives those who cannot wait so long."""
        self.free_at = free_at
        while self.deadlines and self.deadlines[0][0] < free_at:
            yield heappop(self.deadlines)[1]

    def leave(self, number: int) -> None:
        at = bisect_left(self.numbers, number)
        if at < len(self.numbers) and self.numbers[at] == number:
            del self.numbers[at]
            if at == 0:
                self.free_at = -inf  # the next may want less


class _Call:
    """A call that waits, and when it asks next."""

    __slots__ = ("asks_at", "peek", "places", "wait_of", "waiter")

    def __init__(
        self,
        waiter: Waiter,
        places: Mapping[str, Place],
        peek: Ask,
        wait_of: Callable[[GateDecision, float], float],
    ) -> None:
        self.waiter, self.places, self.peek, self.wait_of = waiter, places, peek, wait_of
        self.asks_at = -inf


class Places:
    """The lines of one event loop. Who is first at all its places asks the server, the others sleep.

    So the server is asked by one for each line, and only that one has a timer.
    """

    make_waiter: ClassVar[type[Waiter]] = Waiter
    lock: ClassVar[AbstractContextManager[Any]] = nullcontext()

    def __init__(self) -> None:
        self._lines: dict[Place, _Line] = {}
        # Weak, as a coroutine that is closed near the recursion limit runs no `finally`.
        self._waiters: dict[int, ref[Waiter]] = {}
        self._held: dict[int, tuple[Place, ...]] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._waiters)

    @staticmethod
    def now() -> float:
        return get_running_loop().time()

    async def decided(
        self,
        places: Mapping[str, Place],
        check: Ask,
        peek: Ask,
        deadline: float,
        wait_of: Callable[[GateDecision, float], float],
    ) -> GateDecision:
        """What ``check`` says when it admits, or tells of a wait beyond the deadline.

        ``places`` are those of all limits, by their names; ``wait_of`` says how long to sleep after a
        refusal, or ``inf`` to wait no longer, by the decision and by the seconds that are left.
        """
        waiter = self._arrive(places.values(), deadline)
        call = _Call(waiter, places, peek, wait_of)
        try:
            while await self._come_first(call):
                decision = await check()
                if decision.allowed or not self._refuse(call, decision):
                    return decision
            return self._behind(await peek(), places, waiter)
        finally:
            waiter.is_over = True
            self._leave(waiter)

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
        wait = call.wait_of(decision, waiter.deadline - now)
        if wait == inf:
            return False
        call.asks_at = now + wait
        with self.lock:
            limits, refusing = decision.limits, decision.refused_by
            stays = [
                place
                for name, place in call.places.items()
                if name in refusing or self._has_earlier(place, waiter)
            ]
            self._hold(waiter, stays)
            for name in refusing:
                if self._first(call.places[name]) is waiter:
                    line = self._lines[call.places[name]]
                    for number in line.tell(now + limits[name].retry_after):
                        impatient = self._known(number)
                        if impatient is not None:
                            impatient.wake()
        return True

    def _stand_behind(self, call: _Call) -> tuple[Place, ...]:
        """Where it stands: also where one who came before it has come back meanwhile."""
        waiter = call.waiter
        held = self._held[waiter.number]
        more = [place for place in call.places.values() if self._has_earlier(place, waiter)]
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
                self._lines.setdefault(place, _Line()).enter(number, waiter.deadline)
        for place in before:
            if place not in now and place in self._lines:
                self._lines[place].leave(number)
                first = self._first(place)
                if first is not None:
                    first.wake()

    def _first(self, place: Place) -> Waiter | None:
        """Without those whose leaving was interrupted; who is gone leaves all its places."""
        line = self._lines.get(place)
        while line is not None and line.numbers:
            number = line.numbers[0]
            waiter = self._known(number)
            if waiter is not None:
                return waiter
            line.leave(number)
            self._waiters.pop(number, None)
            self._held.pop(number, None)
        self._lines.pop(place, None)
        return None

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
            if is_first and call.asks_at <= now:
                return True
            if now >= waiter.deadline or free_at > waiter.deadline:
                return False
            if looks_at <= now:
                # Where it would be admitted by now it holds up nobody.
                if not self._refuse(call, await call.peek()):
                    return False
                continue
            until = min(waiter.deadline, looks_at, call.asks_at if is_first else inf)
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
