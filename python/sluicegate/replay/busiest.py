"""The most that a key asks for, or is given, in any span of a window's length."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from sluicegate.replay.logs.access_log import AccessLog

__all__ = ["busiest"]

_SECOND = 1_000_000


def busiest(
    log: AccessLog, window_seconds: float, counted: bytearray | None = None
) -> Sequence[int]:
    """For each key the most requests (of those ``counted``) in any span of a window."""
    times, keys = log.times, log.keys
    counted = counted if counted is not None else bytearray(b"\x01") * len(times)
    window = window_seconds * _SECOND
    live = array("I", bytes(4 * len(log.names)))
    most = array("I", live)
    left = 0
    for time, key, counts in zip(times, keys, counted, strict=True):
        while times[left] <= time - window:
            live[keys[left]] -= counted[left]
            left += 1
        if counts:
            live[key] = now = live[key] + 1
            if now > most[key]:
                most[key] = now
    return most
