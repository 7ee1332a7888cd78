"""What several tests of the limiters in Redis share: quotas, loops, and programs of their own."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from sluicegate import TokenBucketConfig
from sluicegate.redis import (
    AsyncLimiter,
    FixedWindow,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    StoreError,
    TokenBucket,
)

T = TypeVar("T")

#: No unit comes back while a test runs, and no aligned window ends.
FOREVER = 1e9


def _kind(kind: Callable[..., AsyncLimiter]) -> Callable[..., AsyncLimiter]:
    def make(url: object, limit: int = 3, **options: Any) -> AsyncLimiter:
        quota: list[Any] = [limit, FOREVER]
        if kind is TokenBucket:
            quota = [TokenBucketConfig(limit, limit / FOREVER)]
        # On a busy machine a server may well be silent for longer than the default.
        return kind(url, *quota, **{"timeout": 30, **options})

    return make


KINDS: dict[str, Callable[..., AsyncLimiter]] = {
    "fixed": _kind(FixedWindow),
    "log": _kind(SlidingWindowRateLimiter),
    "segments": _kind(SegmentedWindow),
    "counter": _kind(SlidingWindowCounter),
    "bucket": _kind(TokenBucket),
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


def factories() -> list[Any]:
    """Makers of event loops: asyncio's, and uvloop's where it is installed."""
    made: list[Any] = [pytest.param(asyncio.new_event_loop, id="asyncio")]
    try:
        import uvloop
    except ImportError:
        skip = pytest.mark.skip(reason="uvloop is not installed")
        return [*made, pytest.param(None, id="uvloop", marks=skip)]
    return [*made, pytest.param(uvloop.new_event_loop, id="uvloop")]


every_loop = pytest.mark.parametrize("new_loop", factories())


def run(
    main: Coroutine[Any, Any, T],
    new_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop,
) -> T:
    """Run it on a loop of its own, 60 seconds at the most; what it leaves is cancelled."""
    loop = new_loop()
    try:
        return loop.run_until_complete(asyncio.wait_for(main, 60))
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=5))
        loop.close()


async def connected(limiter: AsyncLimiter) -> None:
    """Reach its server. On a busy machine one attempt, which may take a second, may fail."""
    for _ in range(60):
        with contextlib.suppress(StoreError):
            if (await limiter.peek("")).store == "redis":
                return
        await asyncio.sleep(0.1)
    raise TimeoutError("the server is not reached")


#: The same, for programs.
CONNECTED = f"""from __future__ import annotations
import asyncio, contextlib
from sluicegate.redis import AsyncLimiter, StoreError
{inspect.getsource(connected)}"""


def program(code: str, *arguments: object, seconds: float = 60) -> str:
    """What a Python program prints. It must end well and by itself, and complain of nothing."""
    # Python 3.12 and later warn of forks in a process with threads: ours are about those.
    flags = ["-X", "faulthandler", "-W", "ignore::DeprecationWarning"]
    command = [sys.executable, *flags, "-c", code, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert (ended.returncode, ended.stderr) == (0, ""), f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout
