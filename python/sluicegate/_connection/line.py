"""Who waits at one limit and key, in order of arrival."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable
from contextlib import suppress
from math import inf

__all__ = ["Line", "Place"]

#: A limit and a key.
Place = Hashable


class Line:
    """Numbers in order, and what the first was told.

    Any thread may call it, without a lock: each change is one call into C that compares numbers, so
    no other thread and no handler of a signal sees half of it.
    """

    __slots__ = ("__weakref__", "_soonest", "deadlines", "free_at", "looks_at", "numbers")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        #: Of those who do not wait for ever, by their numbers.
        self.deadlines: dict[int, float] = {}
        #: The same and the number, the soonest first; also of some who have left.
        self._soonest: list[tuple[float, int]] = []
        #: Not before the first may be admitted, as far as is known; and when it looks again.
        self.free_at = self.looks_at = -inf

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self.numbers, number)
        return self.numbers[at : at + 1] == [number]

    def at(self, index: int) -> int | None:
        """The number there, if there are so many."""
        return next(iter(self.numbers[index : index + 1]), None)

    def enter(self, number: int, deadline: float) -> None:
        insort(self.numbers, number)
        if deadline < inf:
            self.deadlines[number] = deadline
            insort(self._soonest, (deadline, number))

    def tell(self, looks_at: float, free_at: float) -> list[int]:
        """What the first was told; gives those who cannot wait so long."""
        self.looks_at, self.free_at = looks_at, free_at
        late = self._soonest[: bisect_left(self._soonest, (free_at, 0))]
        return [number for _, number in late if number in self.deadlines]

    def knows_nothing(self) -> None:
        """Something may have changed: the first is to look at once."""
        self.free_at = self.looks_at = -inf

    def leave(self, number: int) -> None:
        if self.numbers[:1] == [number]:
            self.knows_nothing()  # the next may want less; before it is first, and tells itself
        self.deadlines.pop(number, None)
        with suppress(ValueError):
            self.numbers.remove(number)
        if len(self._soonest) > 2 * len(self.deadlines):
            self._sweep()

    def _sweep(self) -> None:
        """Forget those who have left, when they are more than the others."""
        kept = self.deadlines.copy()
        self._soonest[:] = sorted(zip(kept.values(), kept, strict=True))
        for number, deadline in self.deadlines.copy().items():
            if number not in kept:  # it entered meanwhile, and may have been overwritten
                insort(self._soonest, (deadline, number))
