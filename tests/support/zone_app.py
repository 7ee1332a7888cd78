"""The app that servers with several workers run in tests: one quota for all who ask.

The quota is read when a worker begins, so that a restarted one has another.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sluicegate.asgi import RateLimitMiddleware

_OPTIONS: dict[str, Any] = {}
if "ZONE_APP_CONCURRENT" in os.environ:
    _OPTIONS["concurrency"] = int(os.environ["ZONE_APP_CONCURRENT"])


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Say who answers."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            # A file by its number: who has begun cannot be told from who happens to answer.
            (Path(os.environ["ZONE_APP_WORKERS"]) / str(os.getpid())).touch()
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/slow":
        import asyncio

        await asyncio.sleep(0.3)
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"x-worker", str(os.getpid()).encode()), (b"connection", b"close")],
        }
    )
    await send({"type": "http.response.body", "body": b""})


async def refusal(scope: Any, receive: Any, send: Any) -> None:
    """Say who refuses."""
    await send(
        {
            "type": "http.response.start",
            "status": 429,
            "headers": [(b"x-worker", str(os.getpid()).encode()), (b"connection", b"close")],
        }
    )
    await send({"type": "http.response.body", "body": b""})


app = RateLimitMiddleware(
    answer,
    tiers={"all": Path(os.environ["ZONE_APP_QUOTA"]).read_text()},
    store=os.environ["ZONE_APP_STORE"],
    exempt=["/health"],
    refusal=refusal,
    **_OPTIONS,
)
