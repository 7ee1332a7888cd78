"""What all or nothing is good for, simulated: three limits asked in a row, and as one gate.

A user has 5 requests a second and 300 a day, the user's organisation 600 a minute. Asked in a row,
the limits before the one that refuses have spent already, and no order of them is right:

- with the organisation first, a user who keeps knocking spends its quota, and colleagues are refused;
- with the user first, a busy organisation costs the user a day's quota for nothing.

    python examples/gate_simulation.py [--picture FILE]

Needs matplotlib for the picture. There is no chance in it: each run gives the same figures.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from sluicegate import Gate, Limit, ManualClock, SlidingWindowRateLimiter

SECOND, DAY, MINUTE = "5/second", "300/day", "600/minute"
ORGANISATION = "acme"
USER_FIRST, ORGANISATION_FIRST = "the user first", "the organisation first"
GATE = "a gate"

Ask = Callable[[str], bool]
"""Whether a request of this user is admitted."""


class Story(NamedTuple):
    """What one way of asking made of a load; ``at`` are the seconds at which requests were served."""

    served: list[float]
    refused: int
    spent_for_nothing: int
    locked_out: float


def gate(clock: ManualClock) -> Ask:
    check = Gate(
        [Limit(SECOND, by="user"), Limit(DAY, by="user"), Limit(MINUTE, by="organisation")],
        clock=clock,
    ).check
    return lambda user: check({"user": user, "organisation": ORGANISATION}).allowed


def in_a_row(clock: ManualClock, order: str) -> Ask:
    second, day, minute = (
        SlidingWindowRateLimiter(quota, clock=clock).is_allowed for quota in (SECOND, DAY, MINUTE)
    )
    if order == ORGANISATION_FIRST:
        return lambda user: minute(ORGANISATION) and day(user) and second(user)
    return lambda user: second(user) and day(user) and minute(ORGANISATION)


def asked(way: str, clock: ManualClock) -> Ask:
    return gate(clock) if way == GATE else in_a_row(clock, way)


def ticks(clock: ManualClock, step: float, end: float) -> Iterator[float]:
    """The seconds at which the clock stands, from 0 to ``end``."""
    for number in range(round(end / step)):
        yield number * step
        clock.advance(step)


def knocking(way: str, minutes: int = 6) -> tuple[Story, Story]:
    """One user knocks 20 times a second for four minutes; 50 colleagues ask every ten seconds each.

    What came of the user, and what of the colleagues.
    """
    clock = ManualClock()
    allows = asked(way, clock)
    users: tuple[list[float], list[float]] = ([], [])
    refused: Counter[str] = Counter()
    for place, now in enumerate(ticks(clock, 0.05, minutes * 60)):
        if 60 <= now < 300:
            if allows("ada"):
                users[0].append(now)
            else:
                refused["ada"] += 1
        if place % 4 == 0:  # one of them every 0.2 s
            if allows(f"colleague {place // 4 % 50}"):
                users[1].append(now)
            else:
                refused["colleagues"] += 1
    return (
        Story(users[0], refused["ada"], spent(clock, users[0], way), 0),
        Story(users[1], refused["colleagues"], 0, 0),
    )
