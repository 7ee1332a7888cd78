"""The lines of a limiter: who waits at which limit and key, of all event loops and threads."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import count, islice
from math import inf

from sluicegate._connection.line import Line, Place
from sluicegate._connection.waiter import Waiter
from sluicegate._support import fork
from sluicegate._support.weak import Weak

__all__ = ["Lines", "Place"]

# One that has not moved so many seconds after it was to is passed by until it does: its event loop
# may be blocked, even by a thread that waits here behind it.
_LATE = 1.0
# The clock of this process, whatever a test that freezes the time makes of the module's.
_monotonic = time.monotonic


class Lines:
    """One order of arrival for each place. There is a line only while somebody stands in it.

    There is no lock, which a signal's handler might find held and wait in vain: each change is
    one step of the interpreter's, and what an interruption or another thread leaves half done is
    put right by whoever finds it. A line is kept by those who stand in it and by nothing else, so it
    is never taken away from under one who enters, and goes with the last.
    """

    def __init__(self, now: Callable[[], float] = _monotonic) -> None:
        self.now = now
        self._lines = Weak[Line]()
        # Weak, as a coroutine that is closed near the recursion limit runs no `finally`.
        self._waiters = Weak[Waiter]()
        self._numbers = count(1)
        fork.call_in_child(self._forget_all)

    def __len__(self) -> int:
        return len(self._waiters)

    @property
    def lines(self) -> dict[Place, Line]:
        """Those that there are now."""
        return dict(self._lines.items())

    def line(self, place: Place) -> Line | None:
        """As long as it is held, all who come to the place enter that one."""
        return self._lines.get(place)

    def next_number(self) -> int:
        """For one more, who comes behind all who have one."""
        return next(self._numbers)

    def hold(self, waiter: Waiter, places: Iterable[Place]) -> None:
        """Stand at these places and at no other, and wake who is to move where it stood."""
        before, number = waiter.lines, waiter.number
        waiter.lines = now = {place: self._lines.get_or_make(place, Line) for place in places}
        self._waiters.get_or_make(number, lambda: waiter)
        for line in now.values():
            if number not in line:
                line.enter(number, waiter.deadline)
        for place, line in before.items():
            if now.get(place) is not line:
                line.leave(number)
                self._move_up(place, waiter)

    def leave(self, waiter: Waiter) -> None:
        """Wait no longer."""
        self.hold(waiter, ())
        self._waiters.pop(waiter.number)
        self._lines.sweep()

    def free_at(self, place: Place) -> float:
        """Not before the first there may be admitted; ``-inf`` if nobody knows."""
        line = self.line(place)
        return -inf if line is None else line.free_at

    def looks_at(self, place: Place) -> float:
        """When the first there looks whether it would be admitted."""
        line = self.line(place)
        return -inf if line is None else line.looks_at

    def first(self, place: Place) -> Waiter | None:
        """Without those whose leaving was interrupted, and those who do not move."""
        return self.front(place)[1]

    def front(self, place: Place) -> tuple[list[Waiter], Waiter | None]:
        """Those who do not move and are passed by, and who is first without them."""
        passed: list[Waiter] = []
        line, index = self.line(place), 0
        while line is not None and (number := line.at(index)) is not None:
            waiter = self.known(number)
            if waiter is None:
                line.leave(number)  # it is gone, or its leaving was interrupted
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
        line = self.line(place)
        if line is None:
            return False
        index = bisect_left(line.numbers, waiter.number)
        return index == 1 or (index > 1 and self._first_of(waiter.home, line) == waiter.number)

    def known(self, number: int) -> Waiter | None:
        """Who has that number, while it waits."""
        waiter = self._waiters.get(number)
        return None if waiter is None or waiter.is_over else waiter

    def _move_up(self, place: Place, left: Waiter) -> None:
        """One has left: wake the first, and who is now to look out, as the second or in its stead."""
        self.wake_first(place)
        line = self.line(place)
        if line is None:
            return
        for number in (line.at(1), self._first_of(left.home, line)):
            waiter = None if number is None else self.known(number)
            if waiter is not None and not waiter.looks_out and line.at(0) != number:
                self.wake(waiter)

    def _first_of(self, home: object, line: Line) -> int | None:
        others = ((number, self.known(number)) for number in islice(line.numbers, None))
        return next((n for n, other in others if other is not None and other.home is home), None)

    def _forget_all(self) -> None:
        """In a forked child nobody waits: who goes on in it enters again."""
        self._lines.clear()
        self._waiters.clear()
