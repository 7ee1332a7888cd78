"""From samples to figures: medians, spreads, and ratios that are taken round by round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from benches.peers.library import OURS
from benches.peers.sample import Sample
from benches.peers.schedule import Outcome


@dataclass(frozen=True)
class Figure:
    """A median with the spread of the middle four fifths of its rounds.

    ``of_floor``: in multiples of ``dict.get``. ``of_ours``: of sluicegate's limiter of the
    same algorithm, or of its middleware with the log; above 1 is more.
    """

    section: str
    row: str
    library: str
    who: str
    algorithm: str
    unit: str
    value: float
    low: float
    high: float
    rounds: int
    floor: float | None = None
    of_floor: float | None = None
    of_ours: float | None = None


Key = tuple[str, str, str, str]
Rounds = dict[int, Sample]


def weighed(sample: Sample) -> float:
    """The value, in floors where it has one: these drift together with the machine."""
    return sample.value / sample.floor if sample.floor else sample.value


def spread(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 3:
        return min(values), max(values)
    tenths = quantiles(values, n=10, method="inclusive")
    return tenths[0], tenths[-1]


def reference(collected: dict[Key, Rounds], key: Key) -> Rounds:
    """Our limiter of the same algorithm in the same row."""
    section, row, _, _ = key
    algorithm = next(iter(collected[key].values())).algorithm
    for other, rounds in collected.items():
        ours = next(iter(rounds.values()))
        if other[:3] == (section, row, OURS) and ours.algorithm == algorithm:
            return rounds
    return {}


def figure(key: Key, rounds: Rounds, ours: Rounds) -> Figure:
    samples = list(rounds.values())
    first, values = samples[0], [each.value for each in samples]
    floors = [each.floor for each in samples if each.floor]
    ratios = [
        weighed(each) / weighed(ours[number])
        for number, each in rounds.items()
        if number in ours and weighed(ours[number]) > 0
    ]
    low, high = spread(values)
    return Figure(
        *key,
        first.algorithm,
        first.unit,
        median(values),
        low,
        high,
        len(values),
        median(floors) if floors else None,
        median(weighed(each) for each in samples) if floors else None,
        median(ratios) if ratios else None,
    )


def figures(outcomes: Iterable[Outcome]) -> list[Figure]:
    """A figure for each row of each contestant, in the order in which they came."""
    collected: dict[Key, Rounds] = defaultdict(dict)
    for outcome in outcomes:
        for sample in outcome.samples:
            key = (outcome.section, sample.row, outcome.library, sample.who)
            collected[key][outcome.round] = sample
    return [figure(key, rounds, reference(collected, key)) for key, rounds in collected.items()]
