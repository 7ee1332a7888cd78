from __future__ import annotations

from benches.peers.app import with_middleware
from benches.peers.library import Algorithm, Contestant, Library
from rust_py_rate_limit import RateLimiter
from rust_py_rate_limit.fastapi import RateLimitMiddleware


def contestant(name: str, algorithm: Algorithm) -> Contestant:
    return Contestant(
        name,
        algorithm,
        lambda limit, window: RateLimiter(limit, window, algorithm=name).allow,
        full=lambda limit, window: RateLimiter(limit, window, algorithm=name).check,
    )


LIBRARY = Library(
    "rust-py-rate-limit",
    [contestant("sliding", "counter"), contestant("fixed", "fixed")],
    {"its middleware": lambda limit: with_middleware(RateLimitMiddleware, limit=limit)},
    distribution="rust-py-rate-limit",
)
