"""Rate limiting that is exact, bounded in memory, and as cheap as a few dictionary look-ups."""

from sluicegate._core import Decision, ManualClock, Statistics, TokenBucketConfig, __version__
from sluicegate.errors import RateLimitError
from sluicegate.limiters import (
    FixedWindow,
    Limiter,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
)

__all__ = [
    "Decision",
    "FixedWindow",
    "Limiter",
    "ManualClock",
    "RateLimitError",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
    "Statistics",
    "TokenBucket",
    "TokenBucketConfig",
    "__version__",
]
