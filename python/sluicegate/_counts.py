"""Counts by label that cost a check some ten nanoseconds, exact from any number of threads."""

from __future__ import annotations

import sys
from itertools import repeat
from operator import length_hint

from sluicegate._counting_lock import LOCK
from sluicegate._endpoints import Endpoints

__all__ = ["SAMPLE", "Counts"]

#: One check in so many is timed, in memory.
SAMPLE = 64

# Without the GIL an iterator that two threads share may lose steps: every call takes the lock.
_HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()


class Counts:
    """How often each name came.

    ``cells`` has an iterator for each name. A step of it, as ``for _ in cells[name]: return``,
    counts one, and is the cheapest atomic step that Python has. When there is none left,
    or no cell, :meth:`add_slowly` counts instead.
    """

    __slots__ = ("_names", "_whole", "cells")

    def __init__(self, names: Endpoints) -> None:
        self._names = names
        # What was counted, and what is still to come from the cells.
        self._whole: dict[str, int] = {}
        self.cells: dict[str, repeat[None]] = {}

    def add(self, name: str) -> bool:
        """Count one; whether it is this name's turn to have a check timed."""
        for _ in self.cells.get(name, ()):
            return False
        return self.add_slowly(name)

    def add_slowly(self, name: str) -> bool:
        """:meth:`add`, for one that found no step."""
        if name not in self._whole:
            label = self._names.label(name)
            if label != name:
                return self.add(label)
        with LOCK:
            whole = self._whole.get(name, 0)
            if _HAS_GIL and not length_hint(self.cells.get(name, ())):
                self._whole[name] = whole + SAMPLE
                self.cells[name] = repeat(None, SAMPLE - 1)
                return True
            self._whole[name] = whole + 1
            return not (_HAS_GIL or whole % SAMPLE)

    def totals(self) -> dict[str, int]:
        """Each label's count until now."""
        with LOCK:
            cells = self.cells
            return {
                label: whole - length_hint(cells.get(label, ()))
                for label, whole in self._whole.items()
            }
