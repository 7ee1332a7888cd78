"""Whoever waits in Redis or in a zone goes on when limits go off, in event loops and in threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import sluicegate.redis
import sluicegate.shared
from polling import until
from redis_servers import Server
from sluicegate.testing import limits_off

#: Of a server's and a zone's URL.
KINDS: dict[str, Callable[[str, str], Any]] = {
    "a limiter in Redis": lambda url, _: sluicegate.redis.FixedWindow(url, "1/hour", timeout=10),
    "a gate in Redis": lambda url, _: sluicegate.redis.Gate(url, "1/hour", timeout=10),
    "a gate in a zone": lambda _, url: sluicegate.shared.Gate(url, "1/hour"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_whoever_waits_goes_on(kind: str, redis_server: Server, tmp_path: Path) -> None:
    limiter = KINDS[kind](redis_server.url, f"shared://{tmp_path}/limits.zone?size=1m")
    assert limiter.check_sync("k")
    told: list[Any] = []
    threads = [
        threading.Thread(target=lambda: told.append(limiter.wait_sync("k")), daemon=True)
        for _ in range(2)
    ]

    async def main() -> None:
        tasks = [asyncio.create_task(limiter.wait("k")) for _ in range(3)]
        for thread in threads:
            thread.start()
        await asyncio.to_thread(until, lambda: len(limiter._places) == 5, "all wait")
        assert not any(task.done() for task in tasks)
        with limits_off():
            told.extend(await asyncio.wait_for(asyncio.gather(*tasks), 60))
            for thread in threads:
                await asyncio.to_thread(thread.join, 60)

    asyncio.run(main())
    assert len(told) == 5
    assert all(told)
    assert not len(limiter._places)
    assert limiter.statistics().admitted == 1, "they spend nothing"
    assert not limiter.check_sync("k")
    limiter.close()
