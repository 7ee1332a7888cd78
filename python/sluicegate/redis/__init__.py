"""The same limiters with their state in Redis or Valkey, exact across processes.

``redis`` is a URL (``redis://``, ``rediss://``, ``unix://``, ``redis+sentinel://``,
``redis+cluster://``) or a ``redis.asyncio`` client, whose settings are read.
"""

from sluicegate._connection.statistics import RedisStatistics
from sluicegate._core import TokenBucketConfig
from sluicegate.concurrency.permit import Permit
from sluicegate.concurrency.redis import ConcurrencyLimiter
from sluicegate.errors import StoreError
from sluicegate.redis.bucket import TokenBucket
from sluicegate.redis.gate import Gate
from sluicegate.redis.hash_ring import ConsistentHashRing
from sluicegate.redis.limiter import AsyncLimiter
from sluicegate.redis.limiters import (
    DistributedTokenBucket,
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
)
from sluicegate.redis.sharded import ClusterRateLimiter
from sluicegate.redis.sliding_window import RedisSlidingWindowRateLimiter

__all__ = [
    "AsyncLimiter",
    "ClusterRateLimiter",
    "ConcurrencyLimiter",
    "ConsistentHashRing",
    "DistributedTokenBucket",
    "FixedWindow",
    "Gate",
    "Permit",
    "RedisSlidingWindowRateLimiter",
    "RedisStatistics",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
    "StoreError",
    "TokenBucket",
    "TokenBucketConfig",
]
