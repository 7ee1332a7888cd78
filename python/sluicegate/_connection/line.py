"""Who waits at one limit and key, in order of arrival."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterator
from contextlib import suppress
from heapq import heappop, heappush
from math import inf

__all__ = ["Line", "Place"]

#: A limit and a key.
Place = Hashable


class Line:
    """Numbers in order, and when the first may be admitted.

    Any thread may call it, without a lock: each change is one call into C that compares numbers, so
    no other thread and no handler of a signal sees half of it.
    """

    __slots__ = ("__weakref__", "deadlines", "free_at", "numbers")

    def __init__(self) -> None:
        self.numbers: list[int] = []
        #: Those of the waiters, and of some who have left: the soonest first.
        self.deadlines: list[tuple[float, int]] = []
        self.free_at = -inf

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self.numbers, number)
        return self.numbers[at : at + 1] == [number]

    def at(self, index: int) -> int | None:
        """The number there, if there are so many."""
        return next(iter(self.numbers[index : index + 1]), None)

    def enter(self, number: int, deadline: float) -> None:
        insort(self.numbers, number)
        if deadline < inf:
            heappush(self.deadlines, (deadline, number))

    def tell(self, free_at: float) -> Iterator[int]:
        """When the first may be admitted; gives those who cannot wait so long."""
        self.free_at = free_at
        while self.deadlines and self.deadlines[0][0] < free_at:
            with suppress(IndexError):  # another thread was faster
                yield heappop(self.deadlines)[1]

    def leave(self, number: int) -> None:
        if self.numbers[:1] == [number]:
            self.free_at = -inf  # the next may want less; before it is first, and tells itself
        with suppress(ValueError):
            self.numbers.remove(number)
