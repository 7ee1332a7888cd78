"""What a middleware adds to a request in this process, against the bare app just before."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

from benches.peers.app import bare
from benches.peers.library import Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import PLENTY, REQUESTS
from benches.peers.timing import no_collections

# Requests before the other side's turn: both meet the same moments of the machine.
BLOCK = 6
HEADERS = ("host", "user-agent", "accept", "accept-language", "accept-encoding", "cookie")


def scope(app: Any) -> dict[str, Any]:
    """What uvicorn passes for a browser's request."""
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("203.0.113.7", 50000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": "/hello",
        "raw_path": b"/hello",
        "query_string": b"",
        "headers": [(name.encode(), b"some value of a header") for name in HEADERS],
        "state": {},
    }


async def receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def answered(app: Any) -> int:
    """The status of one request."""
    seen: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            seen.append(message["status"])

    await app(scope(app), receive, send)
    (status,) = seen
    return status


async def nowhere(message: Any) -> None:
    pass


async def microseconds(app: Any) -> float:
    scopes = [scope(app) for _ in range(BLOCK)]
    start = time.perf_counter_ns()
    for each in scopes:
        await app(each, receive, nowhere)
    return (time.perf_counter_ns() - start) / BLOCK / 1e3


async def compared(alone: Any, app: Any, status: int) -> tuple[float, float]:
    """Microseconds of a request to the bare app, and to this one."""
    for _ in range(2):
        await microseconds(alone)
        await microseconds(app)
    got = await answered(app)
    if got != status:
        raise RuntimeError(f"answered {got}, not {status}")
    with no_collections():
        taken = [
            (await microseconds(alone), await microseconds(app)) for _ in range(REQUESTS // BLOCK)
        ]
    return median(bare for bare, _ in taken), median(through for _, through in taken)


async def measured(library: Library) -> list[Sample]:
    found: list[Sample] = []
    plain = bare()
    for name, make in library.apps.items():
        alone, through = await compared(plain, make(PLENTY), 200)
        found.append(Sample("the bare app", name, "", alone, "µs"))
        found.append(Sample("added when admitted", name, "", through - alone, "µs"))
        if library.name != "starlette":
            _, refused = await compared(plain, make(1), 429)
            found.append(Sample("a refused request, in all", name, "", refused, "µs"))
    return found


def measure(library: Library, task: Task) -> list[Sample]:
    return asyncio.run(measured(library))
