"""What ``rate_limit`` takes."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

from sluicegate._core import Quota
from sluicegate._support.arguments import number
from sluicegate.policy.options import SharedOptions, default
from sluicegate.policy.quotas import Given

__all__ = ["RouteOptions"]


@dataclass(frozen=True, eq=False, repr=False)
class RouteOptions(SharedOptions):
    """The options of one ``rate_limit``."""

    limit: int | str | Quota
    window_seconds: float = default(60)
    _: KW_ONLY
    window: float | None = None
    name: str = "route"

    def quota(self) -> Given:
        """The quota; or the limit and the window, which was given under either name."""
        if isinstance(self.limit, (str, Quota)):
            if self.is_given("window_seconds", "window"):
                raise TypeError(
                    "limit must be an int beside a window, or a quota such as '10/minute' without "
                    f"one, got {self.limit!r}"
                )
            return self.limit
        if self.window is None:
            return self.limit, self.window_seconds
        if self.is_given("window_seconds"):
            raise TypeError(
                "window_seconds and window are the same: pass one, got "
                f"{self.window_seconds!r} and {self.window!r}"
            )
        return self.limit, number("window", self.window, 1e-6, 1e9, "seconds")
