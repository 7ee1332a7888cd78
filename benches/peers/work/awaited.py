"""What a coroutine pays that is admitted at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benches.peers.library import AwaitedMaker, Contestant, Library
from benches.peers.sample import Sample, Task
from benches.peers.settings import CALLS, HOT, HOUR, PLENTY
from benches.peers.timing import floor_and_loop, no_collections


async def block(call: Callable[[str], Awaitable[Any]], keys: list[str]) -> int:
    start = time.perf_counter_ns()
    for key in keys:
        await call(key)
    return time.perf_counter_ns() - start


async def timed(row: str, each: Contestant, make: AwaitedMaker) -> Sample:
    keys = [HOT] * CALLS
    call = make(PLENTY, HOUR)
    await call(HOT)
    with no_collections():
        floor, loop = floor_and_loop(keys)
        took = await block(call, keys) / CALLS - loop
    return Sample(row, each.name, each.algorithm, took, "ns", floor)


def measure(library: Library, task: Task) -> list[Sample]:
    return [
        asyncio.run(timed(row, each, make))
        for each in library.contestants
        for row, make in (("decides at once", each.awaited), ("waits if it must", each.waits))
        if make is not None
    ]
