"""Replaying a log through limits, and searching for those that would have done."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress, islice
from math import isqrt

from sluicegate._core import ManualClock
from sluicegate.replay.busiest import busiest
from sluicegate.replay.logs.access_log import AccessLog
from sluicegate.replay.outcome import Outcome
from sluicegate.replay.specs import Refusal, Several, Spec

__all__ = ["refused_at_once", "replay", "smallest_limit"]

_SECOND = 1_000_000
_TOLD_EVERY = 4096
_BLOCK = 65536


def replay(
    log: AccessLog, spec: Spec | Several, progress: Callable[[int], None] = lambda _: None
) -> Outcome:
    """Send every request through the real limiter or gate, on a clock that follows the log."""
    allowed = bytearray()
    told: list[Refusal] = []
    known: dict[Refusal, Refusal] = {}  # few of them differ: one object of each is kept
    answers = _answers(
        log,
        log.times,
        log.keys,
        spec,
        lambda refusal: told.append(known.setdefault(refusal, refusal)),
    )
    while some := bytes(islice(answers, _TOLD_EVERY)):
        allowed += some
        progress(len(allowed))
    return Outcome(spec, log, allowed, told)


def refused_at_once(log: AccessLog, spec: Spec | Several) -> int:
    """How many would be refused if the requests of a second had all come at its start."""
    return len(log) - sum(_answers(log, log.at_once(), log.keys, spec))


def _answers(
    log: AccessLog,
    times: Iterable[int],
    keys: Iterable[int],
    spec: Spec | Several,
    told: Callable[[Refusal], object] = lambda _: None,
) -> Iterator[bool]:
    """What the real limiter or gate says to each request."""
    now = log.times[0] if log else 0
    clock = ManualClock(now / _SECOND)
    allows, names = spec.judge(clock, len(log.names), told), log.names
    skip = clock._skip  # noqa: SLF001
    for time, key in zip(times, keys, strict=True):
        if time != now:
            skip(time - now)
            now = time
        yield allows(names[key])


def smallest_limit(
    outcome: Outcome, share: float, progress: Callable[[], None] = lambda: None
) -> Outcome:
    """What the smallest limit does that refuses at most ``share`` of the requests.

    For the log, the fixed window and the bucket a larger limit never refuses more, so it is the
    smallest; for the sliding counter that is not proven, only that the next smaller one refuses
    too many. If none will do, the outcome of the largest limit there is.

    Several limits each get an equal part of the share, and are looked for alone. Should they
    refuse too many together, they are looked for again with half of it, and at last with none.
    """
    log, spec = outcome.log, outcome.spec
    if isinstance(spec, Spec):
        return replay(log, _smallest(log, spec, share, progress))
    each = share / len(spec.parts)
    for part in (each, each / 2, 0.0):
        found = tuple(_smallest(log, one, part, progress) for one in spec.parts)
        outcome = replay(log, Several(found))
        if outcome.share <= share:
            break
    return outcome


def _smallest(log: AccessLog, spec: Spec, share: float, progress: Callable[[], None]) -> Spec:
    """Found by bisection, each step a replay of the keys that the limit in question can refuse."""
    totals = Counter(log.keys)
    most = busiest(log, spec.window_seconds) if spec.is_bound_by_window else totals
    low, high = 0, min(_surely_enough(totals, most, share), spec.largest_limit)
    times, keys = log.times, log.keys
    middle = min(spec.limit, max(high - 1, 1))
    while high - low > 1:
        progress()
        busy = bytes(most[key] > middle for key in keys)
        few = compress(times, busy), compress(keys, busy)
        if _refuses_more(log, *few, spec.with_limit(middle), share):
            low = middle
            # The others are refused by no limit that is still in question.
            if times is log.times:
                times, keys = times[:], keys[:]
            _keep(times, busy)
            _keep(keys, busy)
        else:
            high = middle
        # First the order of magnitude, then the figure.
        middle = max(low + 1, isqrt(low * high)) if high > 2 * low > 0 else (low + high) // 2
    return spec.with_limit(high)


def _keep(values: array[int], which: bytes) -> None:
    """Drop the others, in place: a log of a gigabyte has millions."""
    kept = 0
    for begin in range(0, len(values), _BLOCK):
        end = begin + _BLOCK
        some = array(values.typecode, compress(values[begin:end], which[begin:end]))
        values[kept : kept + len(some)] = some
        kept += len(some)
    del values[kept:]


def _refuses_more(
    log: AccessLog, times: Iterable[int], keys: Iterable[int], spec: Spec, share: float
) -> bool:
    refused = 0
    for allowed in _answers(log, times, keys, spec):
        if not allowed:
            refused += 1
            if refused / len(log) > share:
                return True
    return False


def _surely_enough(totals: Counter[int], most: Counter[int] | Sequence[int], share: float) -> int:
    """A limit that needs no replay: each key's first ``limit`` requests are always admitted, and all of
    one that never asks for more than ``most``."""
    requests = totals.total()
    low, high = 0, max(most[key] for key in totals)
    while high - low > 1:
        middle = (low + high) // 2
        over = sum(total - middle for key, total in totals.items() if most[key] > middle)
        if over / requests <= share:
            high = middle
        else:
            low = middle
    return high
