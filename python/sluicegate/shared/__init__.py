"""The same limiters in a zone: memory that all processes of a host share, without a server.

A zone is a file that every process maps: ``"shared:///run/app/limits.zone?size=10m"``, or
``"shared:name"`` for a file of that name that only this user can read and write, in memory. It is made
by whoever comes first, and holds many limits, told apart by their names; 32,768 keys a MB. No process
waits for another, and none leaves anything behind that has to be put right when it is killed. Linux.
"""

import sys

if sys.platform != "linux":
    raise ImportError(
        "sluicegate.shared needs Linux: count in memory here (sluicegate), or in Redis "
        "(sluicegate.redis)"
    )

from sluicegate._core import Zone
from sluicegate.concurrency.permit import Permit
from sluicegate.concurrency.shared import ConcurrencyLimiter
from sluicegate.errors import StoreError
from sluicegate.shared.bucket import TokenBucket
from sluicegate.shared.gate import Gate
from sluicegate.shared.limiter import Limiter
from sluicegate.shared.limiters import (
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
)

__all__ = [
    "ConcurrencyLimiter",
    "FixedWindow",
    "Gate",
    "Limiter",
    "Permit",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
    "StoreError",
    "TokenBucket",
    "Zone",
]
