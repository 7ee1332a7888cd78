"""When a circuit opens, and when it closes again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sluicegate._support.arguments import number, whole

__all__ = ["CircuitConfig", "CircuitState", "StateChange"]


class CircuitState(Enum):
    """What a circuit does with calls."""

    CLOSED = "closed"
    """Lets them through."""
    OPEN = "open"
    """Refuses them."""
    HALF_OPEN = "half_open"
    """Lets a few through, to see how they fare."""


@dataclass(frozen=True)
class StateChange:
    """A circuit went from one state to another."""

    key: str
    old: CircuitState
    new: CircuitState


@dataclass(frozen=True)
class CircuitConfig:
    """The configuration of a circuit breaker. Immutable.

    Args:
        failure_threshold: failures within ``window`` that open a circuit, 1 to 1,000,000 …
        success_threshold: probes that a half-open circuit lets through, all of which must
            succeed to close it, 1 to 10,000.
        timeout: seconds that a circuit stays open, 0.001 to 1,000,000.
        rate_limit: calls admitted per ``rate_window``, failed or not; ``None`` for no limit.
        rate_window: seconds, as of a :class:`~sluicegate.SlidingWindowCounter`.
        failure_rate: … if they are also this share of the window's calls, 0 to 1.
        window: seconds in which failures are counted, 0.001 to 1,000,000. It moves on by
            tenths of itself.
        probe_lease: seconds after which the place of a probe that hangs, or whose process
            died, is free again, and its result counts for nothing, 0.001 to 1,000,000.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    failure_threshold: int = 5
    success_threshold: int = 3
    timeout: float = 30.0
    rate_limit: int | None = 100
    rate_window: float = 60
    failure_rate: float = 0.5
    window: float = 60.0
    probe_lease: float = 60.0

    def __post_init__(self) -> None:
        whole("failure_threshold", self.failure_threshold, 1, 1_000_000)
        whole("success_threshold", self.success_threshold, 1, 10_000)
        number("failure_rate", self.failure_rate, 0, 1, "failures per call")
        for argument in ("timeout", "window", "probe_lease"):
            number(argument, getattr(self, argument), 0.001, 1e6, "seconds")
        if self.rate_limit is not None:
            whole("rate_limit", self.rate_limit, 1, 2**32 - 1)
            number("rate_window", self.rate_window, 1e-6, 1e9, "seconds")
