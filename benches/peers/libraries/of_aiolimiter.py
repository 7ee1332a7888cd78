from __future__ import annotations

from typing import Any

from aiolimiter import AsyncLimiter
from benches.peers.library import Contestant, Library


def waits(limit: int, window: int) -> Any:
    limiter = AsyncLimiter(limit, window)
    return lambda key: limiter.acquire()


LIBRARY = Library(
    "aiolimiter",
    [Contestant("AsyncLimiter", "bucket", waits=waits, keyed=False)],
    distribution="aiolimiter",
)
