"""Limiters as they are named on the command line, such as ``sliding:100/1m``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from sluicegate._core import ManualClock
from sluicegate.limiters import (
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

__all__ = ["GRAMMAR", "Spec", "parse"]

GRAMMAR = (
    "sliding:LIMIT/WINDOW, segmented_window:LIMIT/WINDOW, fixed:LIMIT/WINDOW, "
    "counter:LIMIT/WINDOW or bucket:CAPACITY@TOKENS/WINDOW, where WINDOW is seconds, or 30s, "
    "1m, 2h, 1d"
)

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_SPEC = re.compile(r"([a-z_]+):(?:([^@/]+)@)?([^@/]+)/([^@/]+)")
_SPAN = re.compile(r"(\d*\.?\d*)([smhd]?)")
_LARGEST = 4_294_967_295
_WINDOWS: dict[str, Callable[..., Any]] = {
    "sliding": SlidingWindowRateLimiter,
    "segmented_window": SegmentedWindow,
    "fixed": FixedWindow,
    "counter": SlidingWindowCounter,
}


class Spec(NamedTuple):
    """A limiter's kind, its limit (or capacity), and the rest of its quota, as it was written."""

    kind: str
    limit: int
    rest: str
    window_seconds: float
    refill_rate: float | None = None

    def __str__(self) -> str:
        return f"{self.kind}:{self.limit}{self.rest}"

    def with_limit(self, limit: int) -> Spec:
        """The same kind and window, with another limit (a bucket keeps its rate)."""
        return self._replace(limit=limit)

    @property
    def largest_limit(self) -> int:
        """The largest limit that this kind of limiter takes with this window or rate."""
        if self.refill_rate is not None:
            # A bucket must fill within 1e9 seconds; a little less, for the rounding.
            return max(1, min(_LARGEST, int(self.refill_rate * 999_999_999)))
        return 16_777_216 if self.kind == "sliding" else _LARGEST

    def limiter(self, clock: ManualClock, keys: int) -> Any:
        """A real limiter with room for ``keys`` keys."""
        options = {"clock": clock, "max_keys": max(1, keys)}
        if self.refill_rate is not None:
            return TokenBucket(capacity=self.limit, refill_rate=self.refill_rate, **options)  # type: ignore[arg-type]
        return _WINDOWS[self.kind](self.limit, self.window_seconds, **options)


def parse(text: str) -> Spec:
    """A spec; a ``ValueError`` names what is wrong with it."""
    found = _SPEC.fullmatch(text.strip())
    kind, capacity, amount, span = found.groups() if found else ("", None, "", "")
    if kind not in (*_WINDOWS, "bucket") or (kind == "bucket") != (capacity is not None):
        raise ValueError(f"--limit must be {GRAMMAR}; got {text!r}")
    try:
        window = _span(span)
        if kind == "bucket":
            rate = float(amount) / window
            spec = Spec(kind, _int(capacity), f"@{amount}/{span}", window, rate)
        else:
            spec = Spec(kind, _int(amount), f"/{span}", window)
        spec.limiter(ManualClock(), 1)
    except (ValueError, ZeroDivisionError) as error:
        raise ValueError(f"--limit {text}: {error}") from None
    return spec


def _int(text: str | None) -> int:
    if text is None or not text.isascii() or not text.lstrip("-").isdigit():
        raise ValueError(f"the limit must be a whole number, got {text!r}")
    return int(text)


def _span(text: str) -> float:
    found = _SPAN.fullmatch(text)
    if found is None or not found[1].strip("."):
        raise ValueError(f"the window must be seconds, or 30s, 1m, 2h, 1d, got {text!r}")
    return float(found[1]) * _UNITS[found[2]]
