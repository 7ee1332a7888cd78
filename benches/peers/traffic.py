"""When requests arrive, in seconds, and what a limiter made of them."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Sequence

from benches.peers.settings import sized

LIMIT = 100
WINDOW = 60
BURSTS = sized(5, 20)
WINDOWS = sized(6, 20)


def boundary_bursts() -> list[float]:
    """One and a half limits on either side of a window's end, then silence.

    A lone request a window earlier begins the window of limiters that count from a
    client's first request; the others' windows are aligned to Unix time, as the burst is.
    """
    draw, arrivals = random.Random(1), list[float]()
    for number in range(1, BURSTS + 1):
        boundary = 3.0 * WINDOW * number
        arrivals.append(boundary - WINDOW + 0.001)
        arrivals += sorted(boundary - draw.uniform(0.01, 1) for _ in range(LIMIT * 3 // 2))
        arrivals += sorted(boundary + draw.uniform(0.01, 1) for _ in range(LIMIT * 3 // 2))
    return arrivals


def flood() -> list[float]:
    """Twelve times the limit, almost evenly: no two requests are a whole window apart."""
    draw, step = random.Random(3), WINDOW / (12 * LIMIT)
    return [step * (n + draw.uniform(0, 0.9)) for n in range(12 * LIMIT * WINDOWS)]


def poisson_spikes() -> list[float]:
    """Nine tenths of the limit on average, and ten times that for a sixth of a minute in three."""
    draw, now, arrivals = random.Random(2), 0.0, list[float]()
    while now < 3 * WINDOW * WINDOWS:
        spike = 10 if now % (3 * WINDOW) > 3 * WINDOW - WINDOW / 6 else 1
        now += draw.expovariate(0.9 * LIMIT / WINDOW * spike)
        arrivals.append(now)
    return arrivals


TRAFFIC: dict[str, Callable[[], list[float]]] = {
    "boundary bursts": boundary_bursts,
    "flood": flood,
    "Poisson with spikes": poisson_spikes,
}


class Verdict:
    """A limiter's decisions, held against "at most the limit in any window".

    ``worst``: the most it admitted in one window, over the limit. ``wrongly_admitted``: the
    share of all requests that it admitted though the window was full. ``wrongly_refused``:
    the share that should have been admitted on top of what it did admit, so that a place
    left free counts once, however many were refused for want of it.
    """

    def __init__(self, arrivals: Sequence[float], decisions: Sequence[bool]) -> None:
        admitted: list[float] = []
        due: list[float] = []  # and those that it should have admitted
        worst = too_many = too_few = 0
        for now, allowed in zip(arrivals, decisions, strict=True):
            held = len(admitted) - bisect_right(admitted, now - WINDOW)
            if allowed:
                admitted.append(now)
                due.append(now)
                worst = max(worst, held + 1)
                too_many += held >= LIMIT
            elif len(due) - bisect_right(due, now - WINDOW) < LIMIT:
                due.append(now)
                too_few += 1
        self.worst = worst / LIMIT
        self.wrongly_admitted = too_many / len(arrivals)
        self.wrongly_refused = too_few / len(arrivals)
