"""Middleware that limits nobody: what is paid before any limiter runs."""

from __future__ import annotations

from benches.peers.app import DoNothing, with_middleware
from benches.peers.library import Library

LIBRARY = Library(
    "starlette",
    apps={"BaseHTTPMiddleware that does nothing": lambda limit: with_middleware(DoNothing)},
    distribution="starlette",
)
