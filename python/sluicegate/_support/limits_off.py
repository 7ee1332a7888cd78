"""Whether limits are off, and telling those who wait in Python when they go off."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from sluicegate import _core
from sluicegate._support.weak import weak_method

__all__ = ["are_off", "call_when_off", "set_off"]

_numbers = count()
_called: dict[int, Callable[[], Callable[[], object] | None]] = {}


def are_off() -> bool:
    """Whether a block of :func:`sluicegate.testing.limits_off` runs."""
    return _core.limits_are_off()


def call_when_off(method: Callable[[], object]) -> None:
    """Call a bound method whenever limits go off, from any thread, while its object lives."""
    number = next(_numbers)
    _called[number] = weak_method(method, _called, number)


def set_off(off: bool) -> None:
    """Turn limits off, or on again. Blocks nest: each one that turns them off turns them on."""
    _core.limits_off(off)
    if not off:
        return
    try:
        for told in list(_called.values()):
            if (method := told()) is not None:
                method()
    except BaseException:
        _core.limits_off(False)  # the block is not entered, and will not be left
        raise
