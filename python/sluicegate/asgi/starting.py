"""A server's start: the time to say that it cannot run what it was given."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Receive, Send

__all__ = ["need_asyncio", "refuses_to_start"]


def need_asyncio(limiters: Iterable[Any]) -> bool:
    """Whether one of them is in Redis."""
    return any(getattr(limiter, "_NEEDS_ASYNCIO", False) for limiter in limiters)


async def refuses_to_start(receive: Receive, send: Send) -> bool:
    """Whether limits in Redis cannot work here; the server has then been told why."""
    from sluicegate._connection.bridge import running_loop

    try:
        running_loop()
    except RuntimeError as error:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return True
    return False
