"""The app that uvicorn serves with an imported policy; it works for as long as a request says."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from sluicegate.asgi import RateLimitMiddleware


async def answer(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            (Path(os.environ["IMPORTED_WORKERS"]) / str(os.getpid())).touch()
            if message["type"] == "lifespan.shutdown":
                return
    hold = dict(scope["headers"]).get(b"x-hold", b"0")
    if hold != b"0":
        await asyncio.sleep(int(hold) / 1000)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


if "IMPORTED_POLICY" in os.environ:  # not where a test takes the app alone
    app = RateLimitMiddleware(answer, policy=os.environ["IMPORTED_POLICY"])
