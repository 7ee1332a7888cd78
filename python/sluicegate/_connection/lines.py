"""The lines of a limiter: who waits at which limit and key, of all event loops and threads."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable
from itertools import count, islice
from math import inf
from weakref import ref

from sluicegate._connection.line import Line
from sluicegate._connection.waiter import Waiter
from sluicegate._support import fork

__all__ = ["Lines", "Place"]

#: A limit and a key.
Place = Hashable

# One that has not moved so many seconds after it was to is passed by until it does: its event loop
# may be blocked, even by a thread that waits here behind it.
_LATE = 1.0
# The clock of this process, whatever a test that freezes the time makes of the module's.
_monotonic = time.monotonic


class Lines:
    """One order of arrival for each place. There is a line only while somebody waits.

    There is no lock, which a signal's handler might find held and wait in vain: each change is
    one step of the interpreter's, and what an interruption or another thread leaves half done is
    put right by whoever finds it. Who is in no line, though it should be, enters again.
    """

    def __init__(self, now: Callable[[], float] = _monotonic) -> None:
        self.now = now
        self.lines: dict[Place, Line] = {}
        # Weak, as a coroutine that is closed near the recursion limit runs no `finally`.
        self._waiters: dict[int, ref[Waiter]] = {}
        self._held: dict[int, tuple[Place, ...]] = {}
        self._numbers = count(1)
        fork.call_in_child(self._forget_all)

    def __len__(self) -> int:
        return len(self._waiters)

    def arrive(
        self, make: Callable[[int], Waiter], places: Iterable[Place], deadline: float
    ) -> Waiter:
        """One more, who stands at these places behind all who do."""
        waiter = make(next(self._numbers))
        waiter.deadline = deadline
        self.hold(waiter, places)
        return waiter

    def held(self, waiter: Waiter) -> tuple[Place, ...]:
        """Where it stands."""
        return self._held.get(waiter.number, ())

    def hold(self, waiter: Waiter, places: Iterable[Place]) -> None:
        """Stand at these places and at no other, and wake who is first now where it stood."""
        before, now = self.held(waiter), tuple(places)
        self._waiters[waiter.number] = ref(waiter)
        self._held[waiter.number] = now
        for place in now:
            self._enter(place, waiter)
        for place in before:
            if place not in now:
                self._leave(place, waiter.number)
                self.wake_first(place)

    def leave(self, waiter: Waiter) -> None:
        """Wait no longer."""
        self.hold(waiter, ())
        self._waiters.pop(waiter.number, None)
        self._held.pop(waiter.number, None)

    def free_at(self, place: Place) -> float:
        """When the first there may be admitted; ``-inf`` if nobody knows."""
        line = self.lines.get(place)
        return -inf if line is None else line.free_at

    def first(self, place: Place) -> Waiter | None:
        """Without those whose leaving was interrupted, and those who do not move."""
        return self.front(place)[1]

    def front(self, place: Place) -> tuple[list[Waiter], Waiter | None]:
        """Those who do not move and are passed by, and who is first without them."""
        passed: list[Waiter] = []
        line, index = self.lines.get(place), 0
        while line is not None and (number := line.at(index)) is not None:
            waiter = self.known(number)
            if waiter is None:
                self._forget(number)
                self._leave(place, number)  # whatever an interruption had left of it
            elif waiter.is_there and self.now() <= waiter.due_at + _LATE:
                return passed, waiter
            else:
                passed.append(waiter)
                index += 1
        return passed, None

    def wake_first(self, place: Place) -> None:
        """Also those before it who do not move: they may be able to again."""
        passed, first = self.front(place)
        for waiter in passed:
            self.wake(waiter)
        if first is not None:
            self.wake(first)

    def wake(self, waiter: Waiter) -> None:
        if waiter.is_asleep:
            waiter.due_at = min(waiter.due_at, self.now())
        waiter.wake()

    def has_earlier(self, place: Place, waiter: Waiter) -> bool:
        first = self.first(place)
        return first is not None and first.number < waiter.number

    def looks_out(self, place: Place, waiter: Waiter) -> bool:
        """Whether it is the one to notice that those before it do not move.

        That is the second, should a wake-up be lost, and the first of each event loop and of the threads.
        """
        line = self.lines.get(place)
        if line is None:
            return False
        index = bisect_left(line.numbers, waiter.number)
        if index < 2:
            return index == 1
        others = map(self.known, islice(line.numbers, index))
        return not any(other is not None and other.home is waiter.home for other in others)

    def known(self, number: int) -> Waiter | None:
        """Who has that number, while it waits."""
        known = self._waiters.get(number)
        waiter = None if known is None else known()
        return None if waiter is None or waiter.is_over else waiter

    def _enter(self, place: Place, waiter: Waiter) -> None:
        line = self.lines.setdefault(place, Line())
        if waiter.number not in line:
            line.enter(waiter.number, waiter.deadline)

    def _leave(self, place: Place, number: int) -> None:
        line = self.lines.get(place)
        if line is None:
            return
        line.leave(number)
        if not line.numbers:
            self.lines.pop(place, None)
            if line.numbers:  # another thread has entered meanwhile
                self.lines.setdefault(place, line)

    def _forget(self, number: int) -> None:
        """One who is gone leaves all its places."""
        for place in self._held.pop(number, ()):
            self._leave(place, number)
        self._waiters.pop(number, None)

    def _forget_all(self) -> None:
        """In a forked child nobody waits: who goes on in it enters again."""
        self.lines.clear()
        self._waiters.clear()
        self._held.clear()
