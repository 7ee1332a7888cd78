"""How many retries all callers together may make, so that an outage is not made worse."""

from __future__ import annotations

import time
from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

from sluicegate._support import fork
from sluicegate._support.arguments import checked_clock, number, whole

if TYPE_CHECKING:
    from sluicegate._core import ManualClock

__all__ = ["RetryBudget"]

# A window is counted in this many slices.
_SLICES = 10


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
        self._slices: deque[_Slice] = deque()
        self._calls = self._retries = 0

    def count_call(self) -> None:
        """Tell of a call, before its first attempt."""
        with self._lock:
            self._slice().calls += 1
            self._calls += 1

    def try_retry(self) -> bool:
        """Spend one retry if the window has one left; say whether it had."""
        with self._lock:
            now = self._slice()
            earned = self._share.numerator * self._calls
            if (self._retries + 1 - self.minimum) * self._share.denominator > earned:
                return False
            now.retries += 1
            self._retries += 1
            return True

    def _slice(self) -> _Slice:
        """The slice of this moment, after those that left the window are forgotten."""
        number_now = int(self._time() * _SLICES / self.window_seconds)
        while self._slices and self._slices[0].number <= number_now - _SLICES:
            old = self._slices.popleft()
            self._calls -= old.calls
            self._retries -= old.retries
        if not self._slices or self._slices[-1].number != number_now:
            self._slices.append(_Slice(number_now))
        return self._slices[-1]


class _Slice:
    """Calls and retries of a tenth of a window."""

    __slots__ = ("calls", "number", "retries")

    def __init__(self, number: int) -> None:
        self.number = number
        self.calls = self.retries = 0
