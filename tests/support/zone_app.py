"""The app that servers with several workers run in tests: one quota for all who ask.

The quota is read when a worker begins, so that a restarted one has another; or a policy's file, which is read
again when it changes.
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


def client_of(scope: Any) -> str:
    """The client, which a test names itself."""
    return dict(scope["headers"])[b"x-client"].decode()


def noting_reloads(app: Any, policy: Any) -> Any:
    """The app, which writes into a file of its worker's own how often the policy was loaded again."""
    noted = {0}

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        reloads = policy.statistics().reloads
        if reloads not in noted:
            noted.add(reloads)
            (Path(os.environ["ZONE_APP_RELOADS"]) / str(os.getpid())).write_text(str(reloads))
        await app(scope, receive, send)

    return noting


if "ZONE_APP_POLICY" in os.environ:
    from sluicegate.policy import Policy

    policy = Policy.from_file(
        os.environ["ZONE_APP_POLICY"], reload_seconds=0.02, refusal=refusal, identify=client_of
    )
    app = noting_reloads(RateLimitMiddleware(answer, policy=policy), policy)
else:
    app = RateLimitMiddleware(
        answer,
        tiers={"all": Path(os.environ["ZONE_APP_QUOTA"]).read_text()},
        store=os.environ["ZONE_APP_STORE"],
        exempt=["/health"],
        refusal=refusal,
        **_OPTIONS,
    )
