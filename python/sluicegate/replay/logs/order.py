"""Requests in the order of their times."""

from __future__ import annotations

from array import array
from collections import Counter
from itertools import groupby

__all__ = ["SECOND", "in_order", "spread"]

SECOND = 1_000_000


def spread(times: array[int]) -> array[int]:
    """Times of whole seconds, the requests of each one spread over it in their order."""
    spread = array(times.typecode)
    for second, same in groupby(times):
        count = sum(1 for _ in same)
        spread.extend(second + place * SECOND // count for place in range(count))
    return spread


def in_order(times: array[int], *columns: array[int]) -> tuple[array[int], tuple[array[int], ...]]:
    """Times sorted, and with each what stands beside it in the columns, stably.

    Counting sorts them by the second in one pass and little memory; those of a second are few.
    """
    counts = Counter(time // SECOND for time in times)
    place, taken = {}, 0
    for second in sorted(counts):
        place[second] = taken
        taken += counts[second]
    ends = {second: start + counts[second] for second, start in place.items()}
    ordered = [_like(column) for column in (times, *columns)]
    for row, time in enumerate(times):
        at = place[time // SECOND]
        place[time // SECOND] = at + 1
        for column, target in zip((times, *columns), ordered, strict=True):
            if column:
                target[at] = column[row]
    for second, end in ends.items():
        _sort_slice(ordered, end - counts[second], end)
    return ordered[0], tuple(ordered[1:])


def _like(column: array[int]) -> array[int]:
    return array(column.typecode, bytes(column.itemsize * len(column)))


def _sort_slice(columns: list[array[int]], start: int, end: int) -> None:
    times = columns[0][start:end]
    rows = sorted(range(end - start), key=times.__getitem__)
    if all(row == place for place, row in enumerate(rows)):
        return
    for column in columns:
        if column:
            part = column[start:end]
            column[start:end] = array(column.typecode, (part[row] for row in rows))
