"""Callers that never pause, what they were answered, and how late this machine itself is."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from redis_servers import Server
from redis_wire import ReplyError
from sluicegate import Decision, TokenBucketConfig
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

#: What a decision may take beyond its limiter's timeout.
GRACE = 0.010
PLENTY = 1_000_000
#: A window that does not end while a test runs.
AGES = 100_000_000
LIMITERS: dict[str, Callable[..., AsyncLimiter]] = {
    "fixed": FixedWindow,
    "segments": SegmentedWindow,
    "counter": SlidingWindowCounter,
    "log": SlidingWindowRateLimiter,
    "bucket": lambda redis, limit, window, **rest: TokenBucket(
        redis, TokenBucketConfig(limit, limit / window), **rest
    ),
}
_STEP = 0.005


def run(main: Coroutine[Any, Any, T], seconds: float = 60) -> T:
    """Run a coroutine on a loop of its own, ``seconds`` at most."""
    return asyncio.run(asyncio.wait_for(main, seconds))


class Lag:
    """How late a thread's timer gets through to this loop: noise that is not the limiter's."""

    def __init__(self) -> None:
        self.worst = 0.0

    async def __aenter__(self) -> Lag:
        self._loop = asyncio.get_running_loop()
        self._ended = threading.Event()
        # Any thread may be the one that the machine forgets for a while.
        self._threads = [threading.Thread(target=self._measure, daemon=True) for _ in range(3)]
        for thread in self._threads:
            thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    def _measure(self) -> None:
        while not self._ended.is_set():
            due = time.monotonic() + _STEP
            time.sleep(_STEP)
            self._loop.call_soon_threadsafe(self._note, due)

    def _note(self, due: float) -> None:
        self.worst = max(self.worst, time.monotonic() - due)


class RoundTrips:
    """How long another client, a plain socket, waits for a server: what no limiter can beat."""

    def __init__(self, server: Server) -> None:
        self.worst = 0.0
        self._server = server
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)

    async def __aenter__(self) -> RoundTrips:
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended.set()
        await asyncio.to_thread(self._thread.join)

    def _measure(self) -> None:
        while not self._ended.wait(_STEP):
            begun = time.monotonic()
            with contextlib.suppress(ReplyError):  # busy with a script: an answer all the same
                self._server.command("PING")
            self.worst = max(self.worst, time.monotonic() - begun)


@dataclass
class Answers:
    """What callers were answered, in the order of the answers."""

    taken: list[float] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    errors: list[StoreError] = field(default_factory=list)
    lag: float = 0.0

    @property
    def slowest(self) -> float:
        """The slowest answer in seconds."""
        return max(self.taken)

    @property
    def stores(self) -> Counter[str]:
        """How many decisions came from where."""
        return Counter(decision.store for decision in self.decisions)

    def late(self, timeout: float) -> int:
        """How many callers waited for the deadline, or nearly."""
        return sum(taken >= 0.9 * timeout for taken in self.taken)

    async def ask(self, call: Callable[[], Awaitable[Decision]]) -> None:
        """Call, and note the answer and its time."""
        begun = time.monotonic()
        try:
            self.decisions.append(await call())
        except StoreError as error:
            self.errors.append(error)
        self.taken.append(time.monotonic() - begun)


@contextlib.asynccontextmanager
async def load(
    limiter: AsyncLimiter, tasks: int = 20, pause: float = 0.002, key: str = "load-{}"
) -> AsyncIterator[Answers]:
    """``tasks`` callers, each with a key of its own, from now to the end of the block."""
    answers, ended = Answers(), asyncio.Event()

    async def calls(name: str) -> None:
        while not ended.is_set():
            await answers.ask(lambda: limiter.check(name))
            await asyncio.sleep(pause)

    async with Lag() as lag:
        callers = [asyncio.ensure_future(calls(key.format(index))) for index in range(tasks)]
        try:
            yield answers
        finally:
            ended.set()
            await asyncio.gather(*callers)
    answers.lag = lag.worst


async def answered_by(limiter: AsyncLimiter, store: str = "redis", within: float = 10.0) -> float:
    """Ask until ``store`` decides; how many seconds that took."""
    begun = time.monotonic()
    while time.monotonic() - begun < within:
        with contextlib.suppress(StoreError):
            if (await limiter.check("until-answered")).store == store:
                return time.monotonic() - begun
        await asyncio.sleep(0.001)
    raise AssertionError(f"no decision by {store} within {within} s")


def commands(server: Server) -> Counter[str]:
    """How often the server has run each command, those of scripts not counted twice."""
    rows = server.command("INFO", "commandstats").decode().splitlines()
    pairs = (row.split(":calls=") for row in rows if row.startswith("cmdstat_"))
    return Counter({name[len("cmdstat_") :]: int(rest.split(",")[0]) for name, rest in pairs})
