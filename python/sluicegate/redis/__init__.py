"""The same limiters with their state in Redis or Valkey, exact across processes.

``redis`` is a URL (``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``,
``redis+cluster://``) or a ``redis.asyncio`` client, whose settings are read.
"""

from sluicegate.redis.limiters import (
    AsyncLimiter,
    ClusterRateLimiter,
    ConcurrencyLimiter,
    ConsistentHashRing,
    DistributedTokenBucket,
    FixedWindow,
    Permit,
    RedisSlidingWindowRateLimiter,
    RedisStatistics,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    StoreError,
    TokenBucket,
    TokenBucketConfig,
)

__all__ = [
    "AsyncLimiter",
    "ClusterRateLimiter",
    "ConcurrencyLimiter",
    "ConsistentHashRing",
    "DistributedTokenBucket",
    "FixedWindow",
    "Permit",
    "RedisSlidingWindowRateLimiter",
    "RedisStatistics",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
    "StoreError",
    "TokenBucket",
    "TokenBucketConfig",
]
