"""What the demo's clients do, and when: every time is a multiple of the window."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sluicegate import FixedWindow, Limiter, SlidingWindowRateLimiter, TokenBucket


@dataclass(frozen=True)
class Phase:
    """Requests sent at even distances from ``start`` until ``end`` (seconds of the story)."""

    name: str
    start: float
    end: float
    requests: int

    def arrivals(self) -> list[float]:
        step = (self.end - self.start) / self.requests
        return [self.start + step * index for index in range(self.requests)]


@dataclass(frozen=True)
class Story:
    """Steady traffic, a 10x spike, and bursts on both sides of a window's boundary."""

    limit: int
    window: float

    @property
    def phases(self) -> list[Phase]:
        window = self.window
        # The pause after the spike is longer than a window, so that every limiter
        # has forgotten the spike when the bursts come.
        return [
            self._at_rate("steady", 0, 2 * window, 0.8),
            self._at_rate("spike", 2 * window, 2.6 * window, 8.0),
            *self.bursts,
            self._at_rate("steady again", self.boundary + 0.2 * window, self.end, 0.8),
        ]

    @property
    def bursts(self) -> tuple[Phase, Phase]:
        """One just before the boundary and one just after: each more than the limit."""
        boundary, near, far = self.boundary, 0.05 * self.window, 0.2 * self.window
        requests = self.limit + self.limit // 5
        return (
            Phase("burst before", boundary - far, boundary - near, requests),
            Phase("burst after", boundary + near, boundary + far, requests),
        )

    def _at_rate(self, name: str, start: float, end: float, share: float) -> Phase:
        requests = round((end - start) / self.window * self.limit * share)
        return Phase(name, start, end, requests)

    @property
    def boundary(self) -> float:
        """The window's boundary between the two bursts."""
        return 4 * self.window

    @property
    def end(self) -> float:
        return 5.4 * self.window

    @property
    def arrivals(self) -> list[float]:
        return [moment for phase in self.phases for moment in phase.arrivals()]

    def phase_at(self, moment: float) -> str:
        for phase in self.phases:
            if phase.start <= moment < phase.end:
                return phase.name
        return "pause"

    def next_start(self, notice: float) -> float:
        """A ``time.monotonic()`` at least ``notice`` seconds ahead, on a boundary of Unix time.

        Fixed windows are aligned to Unix time, so the bursts must be, too.
        """
        unix, monotonic = time.time(), time.monotonic()
        aligned = -(-(unix + notice) // self.window) * self.window
        return monotonic + aligned - unix


@dataclass(frozen=True)
class Contestant:
    """One of the limiters that get the same requests."""

    name: str
    path: str
    promise: str
    bound: int
    """The most that its promise lets through in any window, wherever that begins."""


def contestants(story: Story) -> list[Contestant]:
    limit, window = story.limit, story.window
    per_window = f"{limit} per aligned {window:g} s"
    any_window = f"{limit} in any {window:g} s"
    refill = f"{limit} at once, then {limit / window:g}/s"
    return [
        Contestant("fixed window", "/fixed-window", per_window, 2 * limit),
        Contestant("sliding window", "/sliding-window", any_window, limit),
        Contestant("token bucket", "/token-bucket", refill, 2 * limit),
    ]


def make_limiter(path: str, limit: int, window: float) -> Limiter:
    """A new limiter of the kind that answers at ``path``."""
    if path == "/fixed-window":
        return FixedWindow(limit, window)
    if path == "/sliding-window":
        return SlidingWindowRateLimiter(limit, window)
    return TokenBucket(capacity=limit, refill_rate=limit / window)
