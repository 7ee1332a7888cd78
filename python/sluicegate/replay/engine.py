"""Replaying a log through a limiter, and searching for the limit that would have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import groupby

from sluicegate import ManualClock
from sluicegate.replay.access_log import AccessLog
from sluicegate.replay.specs import Spec

__all__ = ["Outcome", "replay", "smallest_limit"]


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
        """Time and key of each refused request."""
        for time, key, allowed in zip(self.log.times, self.log.keys, self.allowed, strict=True):
            if not allowed:
                yield time, key

    def by_key(self) -> list[tuple[str, int, int, int, int]]:
        """Each refused key: its name, requests, refusals, and the first and last refusal's time."""
        requests = Counter(self.log.keys)
        refused: dict[int, list[int]] = {}
        for time, key in self.refusals():
            entry = refused.setdefault(key, [0, time, time])
            entry[0] += 1
            entry[2] = time
        rows = [
            (self.log.names[key], requests[key], count, first, last)
            for key, (count, first, last) in refused.items()
        ]
        return sorted(rows, key=lambda row: (-row[2], row[0]))

    def over_time(self, bins: int) -> list[tuple[int, int, int]]:
        """The log's time in equal parts: start, requests and refusals of each."""
        first, last = self.log.times[0], self.log.times[-1]
        width = max(1, -(-(last - first + 1) // bins))
        requests = Counter((time - first) // width for time in self.log.times)
        refused = Counter((time - first) // width for time, _ in self.refusals())
        count = (last - first) // width + 1
        return [(first + n * width, requests[n], refused[n]) for n in range(count)]


def replay(log: AccessLog, spec: Spec, progress: Callable[[int], None] = lambda _: None) -> Outcome:
    """Send every request through the real limiter, on a clock that follows the log."""
    clock = ManualClock(log.times[0])
    limiter = spec.limiter(clock, len(log.names))
    allowed = bytearray()
    names, now = log.names, log.times[0]
    for time, group in groupby(
        zip(log.times, log.keys, strict=True), key=lambda request: request[0]
    ):
        clock.advance(time - now)
        now = time
        allowed += bytes(limiter.is_allowed_many([names[key] for _, key in group]))
        progress(len(allowed))
    return Outcome(spec, log, allowed)


def smallest_limit(
    log: AccessLog, spec: Spec, share: float, progress: Callable[[], None] = lambda: None
) -> Outcome:
    """The outcome with the smallest limit that refuses at most ``share`` of the requests.

    Found by halving, each step a replay. For the log, the fixed window and the bucket a
    larger limit never refuses more, so it is the smallest; for the sliding counter it is
    one whose next smaller neighbour refuses too many.
    """
    # As many as the busiest key ever made are never refused.
    high = max(Counter(log.keys).values())
    low, best = 0, replay(log, spec.with_limit(high))
    while high - low > 1:
        middle = (low + high) // 2
        outcome = replay(log, spec.with_limit(middle))
        progress()
        if outcome.share <= share:
            high, best = middle, outcome
        else:
            low = middle
    return best
