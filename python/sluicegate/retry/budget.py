"""How many retries all callers together may make, so that an outage is not made worse."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING

from sluicegate._support import fork
from sluicegate._support.arguments import checked_clock, number, whole
from sluicegate._support.tenths import TENTHS, Tenths

if TYPE_CHECKING:
    from sluicegate._core import ManualClock

__all__ = ["RetryBudget"]


class RetryBudget:
    """Retries are at most ``ratio`` of the calls of a window, and ``minimum`` more.

    Give one to everything that calls the same server. It may be shared by threads and
    event loops. A call is counted once, however often it is retried. The window moves
    on by tenths of itself.

    Args:
        ratio: retries per call, 0 to 1; read as it is written.
        window_seconds: 0.001 to 1,000,000.
        minimum: retries of a window that need no calls, 0 to 1,000,000.
        clock: a :class:`~sluicegate.testing.ManualClock` for tests.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    def __init__(
        self,
        ratio: float = 0.1,
        window_seconds: float = 10.0,
        minimum: int = 10,
        *,
        clock: ManualClock | None = None,
    ) -> None:
        checked_clock(clock)
        self.ratio = number("ratio", ratio, 0, 1, "retries per call")
        self.window_seconds = number("window_seconds", window_seconds, 0.001, 1e6, "seconds")
        self.minimum = whole("minimum", minimum, 0, 1_000_000)
        # As written: 0.29 of 100 calls are 29, where floats make it 28.
        self._share = Fraction(str(self.ratio))
        self._time = time.monotonic if clock is None else clock.time
        self._lock = fork.new_lock()
        self._window = Tenths()

    def count_call(self) -> None:
        """Tell of a call, before its first attempt."""
        with self._lock:
            self._window.add(self._tenth(), 1, 0)

    def try_retry(self) -> bool:
        """Spend one retry if the window has one left; say whether it had."""
        with self._lock:
            now = self._tenth()
            calls, retries = self._window.add(now, 0, 1)
            earned = self._share.numerator * calls
            has_one = (retries - self.minimum) * self._share.denominator <= earned
            if not has_one:
                self._window.add(now, 0, -1)
            return has_one

    def _tenth(self) -> int:
        return int(self._time() * TENTHS / self.window_seconds)
