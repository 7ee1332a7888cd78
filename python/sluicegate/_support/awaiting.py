"""Values that may have to be awaited."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

__all__ = ["maybe_await"]


async def maybe_await(value: Any) -> Any:
    """The value, awaited if it is awaitable: a coroutine function gave it, or a limiter in Redis."""
    if not isinstance(value, Awaitable):
        return value
    awaitable: Awaitable[Any] = value
    return await awaitable
