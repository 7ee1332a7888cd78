"""Twelve agents share a provider's limit: each waits for its turn, none is refused.

The provider allows 10 requests in any second. The agents make 36 requests as fast as
they may, first come, first served. Run it with ``python agents.py``; it takes 3 seconds.
"""

from __future__ import annotations

import asyncio
import time

from sluicegate import SlidingWindowRateLimiter

AGENTS = 12
REQUESTS_EACH = 3

provider_limit = SlidingWindowRateLimiter(max_requests=10, window_seconds=1)


async def call_provider(agent: int) -> float:
    """One request to the provider, sent once the limit has room; returns when that was."""
    admitted = await provider_limit.wait("provider", timeout=30)
    if not admitted:  # it would have taken longer than the timeout: decided at once
        raise TimeoutError(f"agent {agent}: no room in the next {admitted.retry_after:.1f} s")
    sent = time.monotonic()
    await asyncio.sleep(0.01)  # here the real request would go out
    return sent


async def work(agent: int) -> list[float]:
    return [await call_provider(agent) for _ in range(REQUESTS_EACH)]


async def main() -> None:
    start = time.monotonic()
    sent = sorted(
        moment for times in await asyncio.gather(*map(work, range(AGENTS))) for moment in times
    )
    for second in range(int(sent[-1] - start) + 1):
        requests = sum(second <= moment - start < second + 1 for moment in sent)
        print(f"second {second + 1}: {requests:>2} requests {'#' * requests}")


if __name__ == "__main__":
    asyncio.run(main())
