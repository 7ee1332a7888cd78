"""How often each name came, from any thread, without a lock."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from sluicegate._support import fork

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SAMPLE", "Counts"]


#: One check in so many is timed, in memory.
SAMPLE = 64


class Counts:
    """Counts by label.

    A count is an iterator, whose next step is one step of the interpreter's as well: no two
    threads get the same number.

    Args:
        label: gives the label under which a new name is counted.

    Attributes:
        cells: the counts by label.
    """

    __slots__ = ("_label", "_lock", "_reads", "cells")

    def __init__(self, label: Callable[[str], str]) -> None:
        self._label = label
        self._lock = fork.new_lock()
        self.cells: dict[str, count[int]] = {}
        # To read a count takes a step of it.
        self._reads: dict[str, int] = {}

    def cell(self, name: str) -> count[int]:
        """The count of a name."""
        return self.cells.setdefault(self._label(name), count())

    def add(self, name: str) -> bool:
        """Count one; whether a check is to be timed, as one in so many of this name is."""
        cell = self.cells.get(name)
        return next(self.cell(name) if cell is None else cell) % SAMPLE == 0

    def totals(self) -> dict[str, int]:
        """Each label's count until now, if there is one."""
        totals = {}
        with self._lock:
            for label, cell in list(self.cells.items()):
                reads = self._reads.get(label, 0)
                self._reads[label] = reads + 1
                if total := next(cell) - reads:
                    totals[label] = total
        return totals
