"""Limits as they are named on the command line: algorithms and quotas, ``fixed_window:5/day in UTC``."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, NamedTuple

from sluicegate._core import ManualClock, Quota, TokenBucketConfig
from sluicegate.gate.algorithms import default_algorithm
from sluicegate.gate.gate import Gate
from sluicegate.gate.limit import Limit
from sluicegate.limiters import (
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

__all__ = ["GRAMMAR", "Refusal", "Several", "Spec", "parse"]

_BY_NAME: dict[str, type[Any]] = {
    "sliding_window": SlidingWindowRateLimiter,
    "segmented_window": SegmentedWindow,
    "sliding_counter": SlidingWindowCounter,
    "fixed_window": FixedWindow,
    "token_bucket": TokenBucket,
}

GRAMMAR = (
    "an algorithm and a quota, as sliding_window:100/minute, 'token_bucket:10/second burst 20' or "
    "'fixed_window:1000/day in UTC'; several that decide together, as '5/second; 1000/day'; the "
    f"algorithms are {', '.join(_BY_NAME)}, and without one the quota chooses"
)

_LARGEST = 4_294_967_295
_BEFORE = {
    "sliding": "sliding_window",
    "fixed": "fixed_window",
    "counter": "sliding_counter",
    "bucket": "token_bucket",
}


class Refusal(NamedTuple):
    """Which of several limits refused a request: bit ``n`` of ``bits`` is the limit ``n``.

    ``longest`` is the one whose wait is the longest, which is the one that the client is told of.
    """

    bits: int
    longest: int


class Spec(NamedTuple):
    """An algorithm by its name, a quota, and the limit: a bucket's capacity."""

    kind: str
    quota: Quota
    limit: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.quota}"

    @property
    def parts(self) -> tuple[Spec, ...]:
        """The limits that decide: this one alone."""
        return (self,)

    @property
    def window_seconds(self) -> float:
        """The window's length; of a calendar's periods the longest."""
        return self.quota.window_seconds or 0.0

    @property
    def is_bound_by_window(self) -> bool:
        """Whether a key that never asks for more than the limit in any window is never refused."""
        return self.kind in ("sliding_window", "fixed_window")

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

    def judge(
        self, clock: ManualClock, keys: int, _told: Callable[[Refusal], object]
    ) -> Callable[[str], bool]:
        """What says whether a request of a key is admitted; it refuses alone, so nobody is told."""
        allows: Callable[[str], bool] = self.limiter(clock, keys).is_allowed
        return allows


class Several(NamedTuple):
    """Limits that decide together: all admit a request, or none of them counts it."""

    parts: tuple[Spec, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.parts))

    @property
    def cost(self) -> int | dict[str, int]:
        """What a request costs: one of each unit."""
        units = {part.quota.unit for part in self.parts}
        return 1 if len(units) == 1 else dict.fromkeys(units, 1)

    def gate(self, clock: ManualClock, keys: int) -> Gate:
        """A real gate with room for ``keys`` keys, its limits named by their places."""
        limits = [
            Limit(part.quota, algorithm=part.kind, name=f"{place}. {part}"[:64])
            for place, part in enumerate(self.parts, 1)
        ]
        return Gate(limits, clock=clock, max_keys=max(1, keys))

    def judge(
        self, clock: ManualClock, keys: int, told: Callable[[Refusal], object]
    ) -> Callable[[str], bool]:
        """What says whether a request of a key is admitted; ``told`` hears who refuses."""
        with _warnings_heard_before():
            gate = self.gate(clock, keys)
        names = {part.name: place for place, part in enumerate(gate.parts)}
        check, cost = gate.check, self.cost

        def allows(key: str) -> bool:
            decision = check(key, cost)
            if not decision.allowed:
                bits = sum(1 << names[name] for name in decision.refused_by)
                told(Refusal(bits, names[decision.name or ""]))
            return decision.allowed

        return allows


@contextmanager
def _warnings_heard_before() -> Generator[None, None, None]:
    """A limit that can never refuse is told of when it is read, and not at each replay."""
    log = logging.getLogger("sluicegate")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def parse(text: str) -> Spec | Several:
    """What one ``--limit`` names; a ``ValueError`` tells what is wrong with it.

    Of several limits, an algorithm holds for those behind it as well, until another is named.
    """
    parts: list[Spec] = []
    kind = None
    for each in re.split("[;,|]", text):
        word, colon, quota = each.strip().rpartition(":")
        if colon:
            kind = _algorithm(text, word, quota)
        elif quota in _BY_NAME or not quota:
            raise ValueError(f"--limit must be {GRAMMAR}; got {text!r}")
        try:
            parts.append(_part(quota, kind))
        except ValueError as error:
            raise ValueError(f"--limit {text}: {error}") from None
    if len(parts) == 1:
        return parts[0]
    try:
        several = Several(tuple(parts))
        several.gate(ManualClock(), 1).peek("", several.cost)
    except ValueError as error:
        raise ValueError(f"--limit {text}: {error}") from None
    if len(set(parts)) < len(parts):
        raise ValueError(f"--limit {text}: the same limit stands there twice")
    return several


def _algorithm(text: str, word: str, quota: str) -> str:
    """An algorithm by its name."""
    if word in _BY_NAME:
        return word
    if word in _BEFORE:
        raise ValueError(f"--limit {text}: this is now {_now(word, quota)!r}")
    raise ValueError(f"--limit must be {GRAMMAR}; got {text!r}")


def _part(text: str, kind: str | None) -> Spec:
    """A quota that is counted by the algorithm of that name, or by the one that it chooses."""
    quota = Quota(text)
    spec = Spec(kind or default_algorithm(quota), quota, 0)
    return spec._replace(limit=spec.limiter(ManualClock(), 1).limit)


def _now(kind: str, quota: str) -> str:
    """How a spelling of before is written, as far as it can be read."""
    capacity, at, rate = quota.rpartition("@")
    if rate[-1:].isdigit():
        rate += " seconds"
    return f"{_BEFORE[kind]}:{rate}" + (f" burst {capacity}" if at else "")
