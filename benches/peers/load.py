"""The load generator: keep-alive connections that each ask as fast as they are answered."""

from __future__ import annotations

import asyncio
import time

from benches.peers.settings import CONNECTIONS, LOAD_SECONDS

REQUEST = b"GET /hello HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n\r\n"


async def ask(port: int, until: float) -> int:
    """Requests answered with 200 before that time."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    try:
        while time.monotonic() < until:
            writer.write(REQUEST)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(f"answered {head[:40]!r}")
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
            answered += 1
    finally:
        writer.close()
    return answered


async def asked(port: int, seconds: float) -> int:
    until = time.monotonic() + seconds
    return sum(await asyncio.gather(*(ask(port, until) for _ in range(CONNECTIONS))))


def requests(port: int, seconds: float = LOAD_SECONDS) -> int:
    """How many the server on that port answers in so many seconds."""
    return asyncio.run(asked(port, seconds))
