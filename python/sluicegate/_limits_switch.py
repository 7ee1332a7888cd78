"""Whether limits are off, for what is limited in Python."""

from __future__ import annotations

from threading import Lock

__all__ = ["are_off", "turn"]

_lock = Lock()
_times = 0


def are_off() -> bool:
    """Whether a block of :func:`sluicegate.testing.limits_off` runs."""
    return _times > 0


def turn(off: bool) -> None:
    """Off, or back; as often back as off."""
    global _times
    with _lock:
        _times += 1 if off else -1
