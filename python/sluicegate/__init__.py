"""Rate limiting that is exact, bounded in memory, and as cheap as a few dictionary look-ups."""

from sluicegate._core import (
    Decision,
    ManualClock,
    Quota,
    Statistics,
    TokenBucketConfig,
    __version__,
)
from sluicegate.errors import RateLimitError
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

__all__ = [
    "ConcurrencyLimiter",
    "Decision",
    "FixedWindow",
    "Limiter",
    "ManualClock",
    "Quota",
    "RateLimitError",
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
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
