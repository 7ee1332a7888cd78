"""A leaky bucket: whatever comes in bursts goes on at a constant rate."""

from sluicegate.leaky_bucket.bucket import LeakyBucket
from sluicegate.leaky_bucket.config import LeakyBucketConfig

__all__ = [
    "LeakyBucket",
    "LeakyBucketConfig",
]
