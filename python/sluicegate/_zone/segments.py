"""Segments in a zone: how many fit one word with a limit, and how late a unit is back by them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sluicegate import _core
from sluicegate._core import Quota

__all__ = ["LARGEST_UNNAMED", "algorithm_in_zone"]

#: The largest limit that is counted by segments where no algorithm is named: it has 7 parts.
LARGEST_UNNAMED: Final = 1_023
_UNITS = (("d", 86_400.0), ("h", 3_600.0), ("min", 60.0), ("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))


def algorithm_in_zone(quota: Quota, beside: Iterable[Quota] = ()) -> str:
    """The algorithm of a quota in a zone where none is named: segments; a bucket if it has a burst.

    Those ``beside`` the quota have a say: all clients of a policy are counted in one way.

    Raises ``ValueError`` for limits with which fewer than 7 parts fit, as then it has to be chosen.
    """
    if quota.burst is not None:
        return "token_bucket"
    if quota.zone is not None:
        raise ValueError(
            f"quota '{quota}': a zone has no calendar windows: count it in Redis or in memory, or "
            "write it without a time zone"
        )
    sliding = (each for each in (quota, *beside) if each.burst is None is each.zone)
    largest = max(sliding, key=lambda each: each.limit or 0)
    limit, window = largest.limit or 0, largest.window_seconds or 0.0
    if limit > LARGEST_UNNAMED:
        which = "" if largest is quota else f" is counted in one way with '{largest}'"
        raise ValueError(
            f"quota '{quota}'{which}: in a zone, limits above {LARGEST_UNNAMED:,} need an algorithm that "
            "is named: algorithm='fixed_window', 'sliding_counter', or 'segmented_window', whose "
            f"{_parts(limit)} here give a unit back up to {_lateness(limit, window)} late; or count "
            "it in Redis, with store='redis://…'"
        )
    return "segmented_window"


def _parts(limit: int) -> str:
    parts = _core.zone_parts_for(limit)
    return "1 part" if parts == 1 else f"{parts} parts"


def _lateness(limit: int, window_seconds: float) -> str:
    """How late a unit is back at most, as one reads it."""
    seconds = _core.zone_lateness(limit, window_seconds)
    unit, length = next((each for each in _UNITS if seconds >= each[1]), _UNITS[-1])
    return f"{seconds / length:.2g} {unit}"
