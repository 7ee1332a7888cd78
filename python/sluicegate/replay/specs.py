"""Limits as they are named on the command line: an algorithm and a quota, ``fixed_window:5/day in UTC``."""

from __future__ import annotations

from typing import Any, NamedTuple

from sluicegate._core import ManualClock, Quota, TokenBucketConfig
from sluicegate.limiters import (
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

__all__ = ["GRAMMAR", "Spec", "parse"]

_BY_NAME: dict[str, type[Any]] = {
    "sliding_window": SlidingWindowRateLimiter,
    "segmented_window": SegmentedWindow,
    "sliding_counter": SlidingWindowCounter,
    "fixed_window": FixedWindow,
    "token_bucket": TokenBucket,
}

GRAMMAR = (
    "an algorithm and a quota, as sliding_window:100/minute, 'token_bucket:10/second burst 20' or "
    f"'fixed_window:1000/day in UTC'; the algorithms are {', '.join(_BY_NAME)}"
)

_LARGEST = 4_294_967_295
_BEFORE = {
    "sliding": "sliding_window",
    "fixed": "fixed_window",
    "counter": "sliding_counter",
    "bucket": "token_bucket",
}


class Spec(NamedTuple):
    """An algorithm by its name, a quota, and the limit: a bucket's capacity."""

    kind: str
    quota: Quota
    limit: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.quota}"

    @property
    def window_seconds(self) -> float:
        """The window's length; of a calendar's periods the longest."""
        return self.quota.window_seconds or 0.0

    def with_limit(self, limit: int) -> Spec:
        """The same with another limit (a bucket keeps its rate)."""
        amount, _, rest = str(self.quota).partition("/")
        if self.kind == "token_bucket":
            text = f"{amount}/{rest.partition(' burst ')[0]} burst {limit}"
        else:
            text = f"{limit}{amount.removeprefix(str(self.limit))}/{rest}"
        return self._replace(quota=Quota(text), limit=limit)

    @property
    def largest_limit(self) -> int:
        """The largest limit that this algorithm takes with this window or rate."""
        if self.kind == "token_bucket":
            # A bucket must fill within 1e9 seconds; a little less, for the rounding.
            rate = TokenBucketConfig.from_quota(self.quota).refill_rate
            return max(1, min(_LARGEST, int(rate * 999_999_999)))
        return 16_777_216 if self.kind == "sliding_window" else _LARGEST

    def limiter(self, clock: ManualClock, keys: int) -> Any:
        """A real limiter with room for ``keys`` keys."""
        return _BY_NAME[self.kind](self.quota, clock=clock, max_keys=max(1, keys))


def parse(text: str) -> Spec:
    """A spec; a ``ValueError`` names what is wrong with it."""
    kind, colon, quota = text.strip().partition(":")
    if colon and kind in _BEFORE:
        raise ValueError(f"--limit {text}: this is now {_now(kind, quota)!r}")
    if not colon or kind not in _BY_NAME:
        raise ValueError(f"--limit must be {GRAMMAR}; got {text!r}")
    try:
        spec = Spec(kind, Quota(quota), 0)
        return spec._replace(limit=spec.limiter(ManualClock(), 1).limit)
    except ValueError as error:
        raise ValueError(f"--limit {text}: {error}") from None


def _now(kind: str, quota: str) -> str:
    """How a spelling of before is written, as far as it can be read."""
    capacity, at, rate = quota.rpartition("@")
    if rate[-1:].isdigit():
        rate += " seconds"
    return f"{_BEFORE[kind]}:{rate}" + (f" burst {capacity}" if at else "")
