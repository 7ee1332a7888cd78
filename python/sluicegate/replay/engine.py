"""Replaying a log through a limiter, and searching for the limit that would have done."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import compress, islice
from math import isqrt
from typing import NamedTuple

from sluicegate._core import ManualClock
from sluicegate.replay.access_log import AccessLog
from sluicegate.replay.specs import Spec

__all__ = ["Bin", "Findings", "Outcome", "Refused", "refused_at_once", "replay", "smallest_limit"]

_SECOND = 1_000_000
_DAY = 86_400
_TOLD_EVERY = 4096
_WIDTHS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(hours * 3600 for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 28, 91, 364)),
)


class Refused(NamedTuple):
    """A key that was refused; ``most`` is its requests in the busiest window.

    ``first`` and ``last`` are the Unix seconds of its first and last refusal.
    """

    key: str
    requests: int
    refused: int
    most: int
    first: int
    last: int


class Bin(NamedTuple):
    """A stretch of the log's time: its start in Unix seconds, and the counts in it."""

    start: int
    requests: int
    refused: int


class Outcome:
    """What a limiter would have done to each request of a log."""

    def __init__(self, spec: Spec, log: AccessLog, allowed: bytearray) -> None:
        self.spec = spec
        self.log = log
        self.allowed = allowed
        self.requests = len(allowed)
        self.admitted = sum(allowed)
        self.refused = self.requests - self.admitted

    @property
    def share(self) -> float:
        """The share of requests that is refused, 0 to 1."""
        return self.refused / self.requests

    def refusals(self) -> Iterator[tuple[int, int]]:
        """The Unix second and the key of each refused request."""
        for time, key, allowed in zip(self.log.times, self.log.keys, self.allowed, strict=True):
            if not allowed:
                yield time // _SECOND, key

    @cached_property
    def most_admitted(self) -> int:
        """The most that one key was given in any span of the window's length."""
        return max(self._busiest(self.allowed))

    @cached_property
    def by_key(self) -> list[Refused]:
        """The refused keys, those refused most first."""
        requests = Counter(self.log.keys)
        refused: dict[int, list[int]] = {}
        for time, key in self.refusals():
            entry = refused.setdefault(key, [0, time, time])
            entry[0] += 1
            entry[2] = time
        busiest = self._busiest(None) if refused else ()
        rows = [
            Refused(self.log.names[key], requests[key], count, busiest[key], first, last)
            for key, (count, first, last) in refused.items()
        ]
        return sorted(rows, key=lambda row: (-row.refused, row.key))

    def over_time(self, bins: int) -> list[Bin]:
        """The log's time in some ``bins`` equal parts that begin at round times."""
        first, last = self.log.span
        width = _width(last - first + 1, bins)
        requests = Counter(time // (width * _SECOND) for time in self.log.times)
        refused = Counter(time // width for time, _ in self.refusals())
        parts = range(first // width, last // width + 1)
        return [Bin(n * width, requests[n], refused[n]) for n in parts]

    def _busiest(self, counted: bytearray | None) -> Sequence[int]:
        """For each key the most requests (of those ``counted``) in any span of a window."""
        times, keys = self.log.times, self.log.keys
        counted = counted if counted is not None else bytearray(b"\x01") * len(times)
        window = self.spec.window_seconds * _SECOND
        live = array("I", bytes(4 * len(self.log.names)))
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


class Findings(NamedTuple):
    """All that is reported: for each outcome, what the limit that was ``found`` does.

    ``at_once`` has for each outcome how many it would have refused by the other reading of the
    log, in which the requests of a second all come at its start.
    """

    log: AccessLog
    by: str
    outcomes: list[Outcome]
    at_once: list[int]
    found: list[Outcome]
    at_most_percent: float
    top: int

    def enough(self, best: Outcome) -> bool:
        """Whether this limit refuses few enough; not even the largest may."""
        return best.share <= self.at_most_percent / 100


def _width(span: int, bins: int) -> int:
    for width in _WIDTHS:
        if span <= width * bins:
            return width
    return -(-span // (bins * _DAY)) * _DAY


def replay(log: AccessLog, spec: Spec, progress: Callable[[int], None] = lambda _: None) -> Outcome:
    """Send every request through the real limiter, on a clock that follows the log."""
    allowed = bytearray()
    answers = _answers(log, log.times, log.keys, spec)
    while some := bytes(islice(answers, _TOLD_EVERY)):
        allowed += some
        progress(len(allowed))
    return Outcome(spec, log, allowed)


def refused_at_once(log: AccessLog, spec: Spec) -> int:
    """How many would be refused if the requests of a second had all come at its start."""
    return len(log) - sum(_answers(log, log.at_once(), log.keys, spec))


def _answers(log: AccessLog, times: array[int], keys: array[int], spec: Spec) -> Iterator[bool]:
    """What the real limiter says to each request."""
    now = times[0] if times else 0
    clock = ManualClock(now / _SECOND)
    allows, advance, names = (
        spec.limiter(clock, len(log.names)).is_allowed,
        clock.advance,
        log.names,
    )
    for time, key in zip(times, keys, strict=True):
        if time != now:
            advance((time - now) / _SECOND)
            now = time
        yield allows(names[key])


def smallest_limit(
    outcome: Outcome, share: float, progress: Callable[[], None] = lambda: None
) -> Outcome:
    """What the smallest limit does that refuses at most ``share`` of the requests.

    Found from the limit of ``outcome`` by bisection, each step a replay of the
    keys that can be refused, and the last one of the whole log. For the log, the fixed
    window and the bucket a larger limit never refuses more, so it is the smallest; for the
    sliding counter that is not proven, only that the next smaller one refuses too many.
    If none will do, the outcome of the largest limit there is.
    """
    log, spec = outcome.log, outcome.spec
    totals = Counter(log.keys)
    low, high = 0, min(_surely_enough(totals, share), spec.largest_limit)
    times, keys = log.times, log.keys
    middle = min(spec.limit, max(high - 1, 1))
    while high - low > 1:
        progress()
        if _refuses_more(log, times, keys, spec.with_limit(middle), share):
            low = middle
            # Keys of so few requests are refused by no limit that is still in question.
            busy = bytes(totals[key] > low for key in keys)
            times = array(times.typecode, compress(times, busy))
            keys = array(keys.typecode, compress(keys, busy))
        else:
            high = middle
        # First the order of magnitude, then the figure.
        middle = max(low + 1, isqrt(low * high)) if high > 2 * low > 0 else (low + high) // 2
    return replay(log, spec.with_limit(high))


def _refuses_more(
    log: AccessLog, times: array[int], keys: array[int], spec: Spec, share: float
) -> bool:
    refused = 0
    for allowed in _answers(log, times, keys, spec):
        if not allowed:
            refused += 1
            if refused / len(log) > share:
                return True
    return False


def _surely_enough(totals: Counter[int], share: float) -> int:
    """A limit that needs no replay: each key's first ``limit`` requests are always admitted."""
    requests = totals.total()
    low, high = 0, max(totals.values())
    while high - low > 1:
        middle = (low + high) // 2
        if sum(total - middle for total in totals.values() if total > middle) / requests <= share:
            high = middle
        else:
            low = middle
    return high
