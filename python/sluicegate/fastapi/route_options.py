"""What ``rate_limit`` takes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from sluicegate._support.arguments import number
from sluicegate.policy.options import SharedOptions, default

__all__ = ["RouteOptions"]


@dataclass(frozen=True, eq=False, repr=False)
class RouteOptions(SharedOptions):
    """The options of one ``rate_limit``."""

    limit: int
    window_seconds: float = default(60)
    _: KW_ONLY
    window: float | None = None
    name: str = "route"

    def quota(self) -> tuple[int, float]:
        """The limit and the window, which was given under either name."""
        if self.window is None:
            return self.limit, self.window_seconds
        if self.is_given("window_seconds"):
            raise TypeError(
                "window_seconds and window are the same: pass one, got "
                f"{self.window_seconds!r} and {self.window!r}"
            )
        return self.limit, number("window", self.window, 1e-6, 1e9, "seconds")
