"""Processes that hold permits in Redis, for tests; run as a program with the arguments of a role."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import IO

from redis_wire import Wire
from sluicegate.redis import ConcurrencyLimiter

KEY = "k"
INSIDE, MOST, COUNT = "inside", "most", "count"


async def hold(url: str, limit: str, lease: str) -> None:
    """Hold every permit until the process is killed."""
    limiter = ConcurrencyLimiter(url, int(limit), lease_seconds=float(lease), timeout=0.2)
    held = [await limiter.try_acquire(KEY) for _ in range(int(limit))]
    print("held" if all(held) else "refused", flush=True)
    await asyncio.sleep(600)


async def compete(url: str, limit: str, port: str, tasks: str, turns: str) -> None:
    """Go in and out, and tell the server how many are inside at once."""
    limiter = ConcurrencyLimiter(url, int(limit), timeout=10)
    count = "local n = redis.call('INCR', KEYS[1]) redis.call('INCR', KEYS[3]) if n > "
    count += "tonumber(redis.call('GET', KEYS[2]) or 0) then redis.call('SET', KEYS[2], n) end"

    async def work() -> None:
        for _ in range(int(turns)):
            async with limiter.permit(KEY, timeout=60):
                wire.call("EVAL", count, 3, INSIDE, MOST, COUNT)
                await asyncio.sleep(0.001)
                wire.call("DECR", INSIDE)

    with Wire(int(port)) as wire:
        await asyncio.gather(*(work() for _ in range(int(tasks))))


def start(role: str, *arguments: object) -> subprocess.Popen[str]:
    """A process in that role; what it prints is in its ``stdout``."""
    command = [sys.executable, __file__, role, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def told(process: subprocess.Popen[str]) -> str:
    """The next line that it prints."""
    output: IO[str] | None = process.stdout
    assert output is not None
    return output.readline().strip()


if __name__ == "__main__":
    asyncio.run({"hold": hold, "compete": compete}[sys.argv[1]](*sys.argv[2:]))
