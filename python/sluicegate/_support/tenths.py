"""A window of which two things are counted."""

from __future__ import annotations

__all__ = ["TENTHS", "Tenths"]

#: Parts of itself by which the window moves on.
TENTHS = 10


class Tenths:
    """Two counts over a window, whose tenths are numbered."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[int, list[int]] = {}

    def add(self, number: int, first: int, second: int) -> tuple[int, int]:
        """Count in tenth ``number``, which is now; the window's counts with it."""
        for old in [old for old in self._counts if old <= number - TENTHS]:
            del self._counts[old]
        counts = self._counts.setdefault(number, [0, 0])
        counts[0] += first
        counts[1] += second
        firsts, seconds = zip(*self._counts.values(), strict=True)
        return sum(firsts), sum(seconds)

    def is_over(self, number: int) -> bool:
        """Whether no tenth is left of the window that ends with ``number``."""
        return all(old <= number - TENTHS for old in self._counts)
