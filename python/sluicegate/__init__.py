"""Rate limiting that is exact, bounded in memory, and as cheap as a few dictionary look-ups."""

from sluicegate._core import (
    Decision,
    GateDecision,
    ManualClock,
    Quota,
    Statistics,
    TokenBucketConfig,
    __version__,
)
from sluicegate.errors import RateLimitError
from sluicegate.gate.gate import Gate
from sluicegate.gate.limit import Limit
from sluicegate.limiters import (
    FixedWindow,
    Limiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sluicegate.concurrency.memory import ConcurrencyLimiter
    from sluicegate.gate.reservation import Reservation

__all__ = [
    "ConcurrencyLimiter",
    "Decision",
    "FixedWindow",
    "Gate",
    "GateDecision",
    "Limit",
    "Limiter",
    "ManualClock",
    "Quota",
    "RateLimitError",
    "Reservation",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
    "Statistics",
    "TokenBucket",
    "TokenBucketConfig",
    "__version__",
]


def __getattr__(name: str) -> object:
    # It brings asyncio with it, which not everybody needs.
    if name == "ConcurrencyLimiter":
        from sluicegate.concurrency.memory import ConcurrencyLimiter

        return ConcurrencyLimiter
    if name == "Reservation":
        from sluicegate.gate.reservation import Reservation

        return Reservation
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
