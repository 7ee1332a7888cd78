from __future__ import annotations

from collections.abc import Sequence

from benches.peers.library import Call, Contestant, Library
from token_throttle import (
    PerModelConfig,
    Quota,
    SyncMemoryBackendBuilder,
    SyncRateLimiter,
    UsageQuotas,
)

ONE = {"requests": 1}
CALLS = 100  # of most of a millisecond each


def one_key(limits: Sequence[tuple[int, int]]) -> Call:
    """Several windows of one metric; the client is its model. What is reserved is used, and closed."""
    quotas = [Quota(metric="requests", limit=limit, per_seconds=each) for limit, each in limits]
    limiter = SyncRateLimiter(
        PerModelConfig(quotas=UsageQuotas(quotas)), backend=SyncMemoryBackendBuilder()
    )

    def call(key: str) -> bool:
        try:
            reservation = limiter.acquire_capacity(ONE, key, timeout=0)
        except TimeoutError:
            return False
        limiter.refund_capacity(ONE, reservation)
        return True

    return call


LIBRARY = Library(
    "token-throttle",
    [Contestant("SyncRateLimiter", "bucket", one_key=one_key, calls=CALLS)],
    distribution="token-throttle",
)
