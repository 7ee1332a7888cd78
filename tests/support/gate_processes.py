"""Processes that share a gate in Redis, for tests; run as a program with the arguments of a role."""

from __future__ import annotations

import asyncio
import subprocess
import sys

from sluicegate import Limit
from sluicegate.redis import Gate

ORG, USER, ALL = 600, 5_000, 900


def three(url: str, name: str) -> Gate:
    """Of which the organisation's limit is the smallest."""
    return Gate(
        url,
        [
            Limit(f"{USER}/day", by="user"),
            Limit(f"{ORG}/day", by="org", algorithm="fixed_window"),
            Limit(f"{ALL} tokens/day", by="all", algorithm="segmented_window"),
        ],
        name=name,
        timeout=20,
        on_error="raise",
        remember=False,
    )


async def hammer(url: str, name: str, user: str, calls: str) -> None:
    """Say how many calls were admitted."""
    gate = three(url, name)
    keys = {"user": user, "org": "o", "all": "a"}

    async def some() -> int:
        told = [await gate.check(keys, {"tokens": 1}) for _ in range(int(calls) // 20)]
        return sum(decision.allowed for decision in told)

    print(sum(await asyncio.gather(*(some() for _ in range(20)))), flush=True)


async def hold(url: str, lease: str) -> None:
    """Hold all permits, with other quota, until the process is killed."""
    gate = held(url, float(lease))
    async with (
        gate.reserve({"model": "m"}, {"tokens": 400}),
        gate.reserve({"model": "m"}, {"tokens": 400}),
    ):
        print("held", flush=True)
        await asyncio.sleep(600)


def held(url: str, lease: float) -> Gate:
    """Two at once, and tokens."""
    return Gate(
        url,
        [Limit("2 concurrent; 1000 tokens/day", by="model", lease_seconds=lease)],
        name="held",
        timeout=5,
        on_error="raise",
        remember=False,
    )


def start(role: str, *arguments: object) -> subprocess.Popen[str]:
    """A process in that role; what it prints is in its ``stdout``."""
    command = [sys.executable, __file__, role, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


if __name__ == "__main__":
    asyncio.run({"hammer": hammer, "hold": hold}[sys.argv[1]](*sys.argv[2:]))
