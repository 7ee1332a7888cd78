"""What a gate of three limits costs: one call of it beside a check of each of the three."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, NamedTuple

from benches.python.core import FEW, HOT, PLENTY, ROUNDS
from benches.python.harness import Case, Figure, empty_loop, paired, save, say, show, summary

from sluicegate import (
    FixedWindow,
    Gate,
    Limit,
    Limiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

MAY_COST = 1.5
CALLS = 1_000  # of three limits: near a millisecond
WINDOWS = ("second", "minute", "hour")
KEYS = {"user": HOT, "tenant": "acme", "tool": "search"}

CLASSES: dict[str, Callable[[str], Limiter]] = {
    "fixed_window": FixedWindow,
    "sliding_window": SlidingWindowRateLimiter,
    "segmented_window": SegmentedWindow,
    "sliding_counter": SlidingWindowCounter,
    "token_bucket": TokenBucket,
}


def quotas(last: int) -> list[str]:
    return [
        f"{amount}/{window}" for amount, window in zip((PLENTY, PLENTY, last), WINDOWS, strict=True)
    ]


class Place(NamedTuple):
    """Where limits are kept: what makes a gate of some there, and a limiter of one."""

    gate: Callable[[list[Limit]], Any]
    limiter: Callable[[str, str], Any]


MEMORY = Place(Gate, lambda algorithm, quota: CLASSES[algorithm](quota))


def of_gate(place: Place, algorithm: str, last: int, keys: str | dict[str, str]) -> Case:
    by = ["key"] * 3 if isinstance(keys, str) else list(keys)
    limits = zip(quotas(last), by, strict=True)
    made = [Limit(quota, by=each, algorithm=algorithm) for quota, each in limits]
    check = place.gate(made).check
    for _ in range(2 * FEW):
        check(keys)

    def case() -> int:
        start = time.perf_counter_ns()
        for _ in repeat(None, CALLS):
            check(keys)
        return time.perf_counter_ns() - start

    return case


def of_three(place: Place, algorithm: str, last: int, keys: tuple[str, str, str]) -> Case:
    first, second, third = (place.limiter(algorithm, quota).check for quota in quotas(last))
    one, two, three = keys
    for _ in range(2 * FEW):
        third(three)

    def case() -> int:
        start = time.perf_counter_ns()
        for _ in repeat(None, CALLS):
            first(one)
            second(two)
            third(three)
        return time.perf_counter_ns() - start

    return case


def ratios(
    place: Place,
    algorithm: str,
    last: int,
    keys: str | dict[str, str],
    each: tuple[str, str, str],
) -> tuple[list[float], list[float]]:
    """The gate's time over that of the three, the loop taken off both; and its nanoseconds."""
    floors = [empty_loop(CALLS), of_three(place, algorithm, last, each)]
    times = paired({"gate": of_gate(place, algorithm, last, keys)}, floors, 2 * ROUNDS)["gate"]
    shares = [(took - loop) / (three - loop) for loop, three, took in times]
    return shares, [(took - loop) / CALLS for loop, _, took in times]


def figures(place: Place, algorithm: str, may_cost: float | None) -> Iterator[Figure]:
    """Of one key and of three, admitted and refused."""
    user, tenant, tool = KEYS.values()
    for what, keys, each in (
        ("one key, three windows", HOT, (HOT, HOT, HOT)),
        ("three keys", KEYS, (user, tenant, tool)),
    ):
        for how, last in (("admitted", PLENTY), ("refused by the third", FEW)):
            shares, took = ratios(place, algorithm, last, keys, each)
            row = f"{what}, {how}: {algorithm}"
            yield summary(row, shares, "×", may_cost)
            yield summary(f"{row}, a call", took, "ns")


def main() -> None:
    found: list[Figure] = []
    for algorithm in CLASSES:
        say(f"gate: {algorithm} ...")
        found.extend(figures(MEMORY, algorithm, MAY_COST))
    show(
        "A gate of three limits",
        "Multiples of a `check` of each of the three, measured just before; medians.",
        found,
    )
    save("gate", found)


if __name__ == "__main__":
    main()
