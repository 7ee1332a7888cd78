"""For tests of code that is rate limited: a clock to move, and a switch."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from sluicegate import _core, _limits_switch
from sluicegate._core import ManualClock

__all__ = ["ManualClock", "limits_off"]


@contextmanager
def limits_off() -> Generator[None, None, None]:
    """Admit everything, in every thread, while the block runs.

    Nothing is spent or counted, and arguments are still checked. Blocks may nest.
    """
    _core._limits_off(True)
    _limits_switch.turn(off=True)
    try:
        yield
    finally:
        _limits_switch.turn(off=False)
        _core._limits_off(False)
