"""Tasks that check as fast as they can, for a while."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from statistics import median

from benches.redis.contestants import Check, Contestant


@dataclass
class Sample:
    """What one round measured."""

    per_second: float
    cpu_micros: float
    p50_micros: float


async def rounds(make: Contestant, url: str, tasks: int, seconds: float, warm: float) -> Sample:
    """Checks of ``tasks`` concurrent tasks for ``seconds``, after ``warm`` seconds of the same."""
    check = await make(url)
    await _round(check, tasks, warm)
    return await _round(check, tasks, seconds)


async def _round(check: Check, tasks: int, seconds: float) -> Sample:
    times: list[int] = []
    done = 0
    end = time.perf_counter() + seconds

    async def one() -> None:
        nonlocal done
        while time.perf_counter() < end:
            start = time.perf_counter_ns()
            await check()
            if tasks == 1:
                times.append(time.perf_counter_ns() - start)
            done += 1

    cpu, start = _cpu(), time.perf_counter()
    await asyncio.gather(*(one() for _ in range(tasks)))
    took = time.perf_counter() - start
    p50 = median(times) / 1e3 if times else 0.0
    return Sample(done / took, (_cpu() - cpu) / done * 1e6, p50)


def _cpu() -> float:
    """Seconds of CPU of all threads of this process."""
    used = os.times()
    return used.user + used.system
