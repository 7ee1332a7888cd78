from __future__ import annotations

from typing import Any

from benches.peers.app import with_middleware
from benches.peers.library import Library
from ratelimit import RateLimitMiddleware, Rule
from ratelimit.backends.simple import MemoryBackend


async def who(scope: Any) -> tuple[str, str]:
    return scope["client"][0], "default"


def limited(limit: int) -> Any:
    return with_middleware(
        RateLimitMiddleware,
        authenticate=who,
        backend=MemoryBackend(),
        config={r"^/": [Rule(minute=limit)]},
    )


LIBRARY = Library("asgi-ratelimit", apps={"middleware": limited}, distribution="asgi-ratelimit")
