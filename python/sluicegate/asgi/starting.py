"""A server's start: the time to say that it cannot run what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate._support.asgi_types import Receive, Send

__all__ = ["refuses_to_start"]


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
