"""Who waits at one limit and key, in order of arrival."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from heapq import heappop, heappush
from math import inf

__all__ = ["Line"]


class Line:
    """Numbers in order, and when the first may be admitted."""

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
