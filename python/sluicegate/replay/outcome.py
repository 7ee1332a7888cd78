"""What limits would have done to each request of a log, and to whom, when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import repeat
from typing import NamedTuple

from sluicegate.replay.busiest import busiest
from sluicegate.replay.logs.access_log import AccessLog
from sluicegate.replay.specs import Refusal, Several, Spec

__all__ = ["Bin", "Findings", "Outcome", "Part", "Refused"]

_SECOND = 1_000_000
_DAY = 86_400
_WIDTHS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800),
    *(hours * 3600 for hours in (1, 2, 3, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 28, 91, 364)),
)


class Refused(NamedTuple):
    """A key that was refused.

    ``most`` is its requests in the busiest window, and ``None`` where several limits have several.
    ``first`` and ``last`` are the Unix seconds of its first and last refusal, and ``by`` how many of
    them each limit refused.
    """

    key: str
    requests: int
    refused: int
    most: int | None
    first: int
    last: int
    by: tuple[int, ...]


class Bin(NamedTuple):
    """A stretch of the log's time: its start in Unix seconds, and the counts in it.

    ``by`` has for each limit the requests of which it was the one that waits longest.
    """

    start: int
    requests: int
    refused: int
    by: tuple[int, ...]


class Part(NamedTuple):
    """What one limit refused, alone or beside others, with the times of the first and the last.

    ``most`` is the most that one key was given in any span of its window's length.
    """

    spec: Spec
    refused: int
    share: float
    keys: int
    first: int | None
    last: int | None
    most: int


_ALONE = Refusal(bits=1, longest=0)


class Outcome:
    """What a limit, or several together, would have done to each request of a log.

    ``told`` says of each request that several refused which of them did.
    """

    def __init__(
        self,
        spec: Spec | Several,
        log: AccessLog,
        allowed: bytearray,
        told: Sequence[Refusal] = (),
    ) -> None:
        self.spec = spec
        self.log = log
        self.allowed = allowed
        self._told = told
        self.requests = len(allowed)
        self.admitted = sum(allowed)
        self.refused = self.requests - self.admitted

    @property
    def share(self) -> float:
        """The share of requests that is refused, 0 to 1."""
        return self.refused / self.requests

    def refusals(self) -> Iterator[tuple[int, int, Refusal]]:
        """The Unix second and the key of each refused request, and who refused it."""
        told = iter(self._told) if self._told else repeat(_ALONE)
        for time, key, allowed in zip(self.log.times, self.log.keys, self.allowed, strict=True):
            if not allowed:
                yield time // _SECOND, key, next(told)

    @cached_property
    def parts(self) -> list[Part]:
        """What each of the limits refused: of several, one request may count for more than one."""
        parts: list[Part] = []
        for place, spec in enumerate(self.spec.parts):
            own = [(time, key) for time, key, by in self.refusals() if by.bits >> place & 1]
            parts.append(
                Part(
                    spec=spec,
                    refused=len(own),
                    share=len(own) / self.requests,
                    keys=len({key for _, key in own}),
                    first=own[0][0] if own else None,
                    last=own[-1][0] if own else None,
                    most=max(busiest(self.log, spec.window_seconds, self.allowed)),
                )
            )
        return parts

    @cached_property
    def most_admitted(self) -> int | None:
        """The most that one key was given in any span of the window's length, where there is one."""
        return self.parts[0].most if len(self.parts) == 1 else None

    @cached_property
    def by_key(self) -> list[Refused]:
        """The refused keys, those refused most first."""
        requests, places = Counter(self.log.keys), range(len(self.spec.parts))
        times: dict[int, tuple[int, int]] = {}
        counts: dict[int, Counter[int]] = {}
        for time, key, by in self.refusals():
            times[key] = (times.get(key, (time,))[0], time)
            counts.setdefault(key, Counter())[by.bits] += 1
        most = None
        if isinstance(self.spec, Spec) and times:
            most = busiest(self.log, self.spec.window_seconds)
        rows = [
            Refused(
                key=self.log.names[key],
                requests=requests[key],
                refused=counts[key].total(),
                most=most[key] if most else None,
                first=first,
                last=last,
                by=tuple(
                    sum(n for bits, n in counts[key].items() if bits >> place & 1)
                    for place in places
                ),
            )
            for key, (first, last) in times.items()
        ]
        return sorted(rows, key=lambda row: (-row.refused, row.key))

    def over_time(self, bins: int) -> list[Bin]:
        """The log's time in some ``bins`` equal parts that begin at round times."""
        first, last = self.log.span
        width = _width(last - first + 1, bins)
        requests = Counter(time // (width * _SECOND) for time in self.log.times)
        refused = Counter((time // width, by.longest) for time, _, by in self.refusals())
        made: list[Bin] = []
        for n in range(first // width, last // width + 1):
            by = tuple(refused[n, place] for place in range(len(self.spec.parts)))
            made.append(Bin(n * width, requests[n], sum(by), by))
        return made


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
