"""What all or nothing is good for, simulated: three limits asked in a row, and as one gate.

A user has 5 requests a second and 300 a day, the user's organisation 600 a minute. Asked in a row,
the limits before the one that refuses have spent already, and no order of them is right:

- with the organisation first, a user who keeps knocking spends its quota, and colleagues are refused;
- with the user first, a busy organisation costs the user a day's quota for nothing.

    python examples/gate_simulation.py [--picture docs/images/gate.png]

Needs matplotlib for the picture. There is no chance in it: each run gives the same figures.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sluicegate import Gate, Limit, ManualClock, SlidingWindowRateLimiter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SECOND, DAY, MINUTE = "5/second", "300/day", "600/minute"
ORGANISATION = "acme"
COLLEAGUES = 50
GATE, ORGANISATION_FIRST, USER_FIRST = "a gate", "organisation first", "user first"
COLOURS = {GATE: "#0072B2", ORGANISATION_FIRST: "#E69F00", USER_FIRST: "#E69F00"}


@dataclass
class Told:
    """When somebody was served and refused, in seconds."""

    served: list[float] = field(default_factory=list[float])
    refused: list[float] = field(default_factory=list[float])

    def ask(self, now: float, admitted: bool) -> None:
        (self.served if admitted else self.refused).append(now)


@dataclass
class Day:
    """What came of a user: what was ``left`` of the day is told from minute to minute."""

    served: int = 0
    for_nothing: int = 0
    longest_wait: float = 0.0
    left: list[int] = field(default_factory=list[int])


@dataclass
class Three:
    """The three limits: ``allows`` asks them, ``left`` says what is left of a user's day."""

    allows: Callable[[str], bool]
    left: Callable[[str], int]


def three(way: str, clock: ManualClock) -> Three:
    """The limits, asked in this way."""
    if way == GATE:
        limits = [Limit(f"{SECOND}; {DAY}", by="user"), Limit(MINUTE, by="organisation")]
        gate = Gate(limits, clock=clock)

        return Three(
            lambda user: bool(gate.check(keys_of(user))),
            lambda user: gate.peek(keys_of(user)).limits["user/day"].remaining,
        )
    second, day, minute = (
        SlidingWindowRateLimiter(quota, clock=clock) for quota in (SECOND, DAY, MINUTE)
    )

    def user_first(user: str) -> bool:
        return second.is_allowed(user) and day.is_allowed(user) and minute.is_allowed(ORGANISATION)

    def organisation_first(user: str) -> bool:
        return minute.is_allowed(ORGANISATION) and day.is_allowed(user) and second.is_allowed(user)

    allows = user_first if way == USER_FIRST else organisation_first
    return Three(allows, lambda user: day.peek(user).remaining)


def keys_of(user: str) -> dict[str, str]:
    return {"user": user, "organisation": ORGANISATION}


def ticks(clock: ManualClock, step: float, end: float) -> Iterator[float]:
    """The seconds from 0 to ``end`` in steps of the clock."""
    for number in range(round(end / step)):
        yield number * step
        clock.advance(step)


def knocking(way: str) -> tuple[Told, Told, int]:
    """A user asks 20 times a second, from the 2nd to the 5th minute; 50 colleagues every 10 seconds each.

    What came of the user, of the colleagues, and how much of the user's day was spent.
    """
    clock = ManualClock()
    limits, user, colleagues = three(way, clock), Told(), Told()
    for place, now in enumerate(ticks(clock, 0.05, 360)):
        if 60 <= now < 300:
            user.ask(now, limits.allows("ada"))
        if place % 4 == 0:
            colleagues.ask(now, limits.allows(f"colleague {place // 4 % COLLEAGUES}"))
    return user, colleagues, 300 - limits.left("ada")


def busy(way: str, hours: int = 30) -> Day:
    """Jobs take all of the organisation's minutes for ten minutes of the 4th hour.

    A user asks every five minutes, and again each second until it is served.
    """
    clock = ManualClock()
    limits, day = three(way, clock), Day()
    asked_at: float | None = None
    for now in ticks(clock, 1, hours * 3600):
        if 3 * 3600 <= now < 3 * 3600 + 600:
            for job in range(10):  # first in each second
                limits.allows(f"job {now} {job}")
        if asked_at is None and now % 300 == 0:
            asked_at = now
        if asked_at is not None:
            before = limits.left("ada")
            if limits.allows("ada"):
                day.served += 1
                day.longest_wait = max(day.longest_wait, now - asked_at)
                asked_at = None
            else:
                day.for_nothing += before - limits.left("ada")
        if now % 60 == 0:
            day.left.append(limits.left("ada"))
    return day


def table(first: dict[str, tuple[Told, Told, int]], second: dict[str, Day]) -> str:
    """The figures, a line for each way."""
    lines = ["A user who keeps knocking"]
    for way, (user, colleagues, spent) in first.items():
        lines.append(
            f"  {way:20} served {len(user.served):>4}, of the day spent {spent:>4}, for nothing"
            f" {spent - len(user.served):>4}; colleagues refused {len(colleagues.refused):>4}"
            f" of {len(colleagues.served) + len(colleagues.refused)}"
        )
    lines.append("A busy organisation")
    for way, day in second.items():
        lines.append(
            f"  {way:20} served {day.served:>4}, of the day spent for nothing {day.for_nothing:>4},"
            f" locked out for {day.longest_wait / 3600:>5.2f} hours"
        )
    return "\n".join(lines)


def draw(first: dict[str, tuple[Told, Told, int]], second: dict[str, Day], file: Path) -> None:
    """Who is served in the one story, and what is left of a user's day in the other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    above, below = figure.subplots(2)
    for way, (_, colleagues, _) in first.items():
        times = [time / 60 for time in colleagues.served]
        above.hist(
            times,
            bins=36,
            range=(0, 6),
            histtype="step" if way == GATE else "stepfilled",
            color=COLOURS[way],
            label=way,
        )
    titled(
        above, "A user knocks 20 times a second: what colleagues get", "served in 10 s", "minutes"
    )
    for way, day in second.items():
        hours = [minute / 60 for minute in range(len(day.left))]
        below.plot(hours, day.left, color=COLOURS[way], label=way)
    titled(below, "The organisation is busy for ten minutes: a user's day", "left of 300", "hours")
    figure.savefig(file, dpi=90)


def titled(axes: Axes, title: str, what: str, unit: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_ylabel(what)
    axes.set_xlabel(unit)
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    first = {way: knocking(way) for way in (ORGANISATION_FIRST, GATE)}
    second = {way: busy(way) for way in (USER_FIRST, GATE)}
    print(f"{SECOND} and {DAY} of a user, {MINUTE} of an organisation:\n")
    print(table(first, second))
    if options.picture:
        draw(first, second, options.picture)
        print(f"\nPicture: {options.picture}")


if __name__ == "__main__":
    main()
