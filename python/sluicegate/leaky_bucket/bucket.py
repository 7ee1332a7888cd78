"""A leaky bucket: whatever comes in bursts goes on at a constant rate."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from math import inf
from typing import NoReturn

from sluicegate._support import limits_off
from sluicegate._support.arguments import whole
from sluicegate._support.functions import check_plain
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.pickling import stays
from sluicegate.leaky_bucket.config import LeakyBucketConfig, leaky_config

__all__ = ["LeakyBucket"]

Handler = Callable[[str], Awaitable[object] | object]
OnError = Callable[[str, Exception], object]

# Timers are late by milliseconds: this much is made good, even at rates of thousands a second.
_LATE_SECONDS = 0.01

_log = logging.getLogger(__name__)


class LeakyBucket:
    """Takes requests as they come and handles them in order, ``leak_rate`` a second.

    ``LeakyBucket(LeakyBucketConfig(100, 10))`` or ``LeakyBucket(capacity=100, leak_rate=10)``.
    Pass a ``handler``, or override ``_handle_request``. Each request is begun when it is
    due, whether or not the last one is done. Nothing is started before the first
    ``submit``. Use it in one event loop at a time; another may follow, and then the first
    ``submit`` there also sets going what still waits.

    ``async with`` drains it at the end of the block, or cancels what is left if the
    block raises.

    Args:
        config: a :class:`LeakyBucketConfig`, instead of the next two; or the capacity.
        capacity: most requests that wait, 1 to 1,000,000,000.
        leak_rate: requests per second, 0.000001 to 1,000,000.
        handler: a function or a coroutine function, called with the ``request_id``.
        max_running: most requests in hand at once, 1 to 1,000,000; with 1 each waits
            for the end of the last. The leak is held up at this bound.
        on_error: called with the ``request_id`` and what its handler raised; without it
            the error is logged. The leak goes on either way.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    def __init__(
        self,
        config: LeakyBucketConfig | int | None = None,
        leak_rate: float | None = None,
        handler: Handler | None = None,
        *,
        capacity: int | None = None,
        max_running: int = 100,
        on_error: OnError | None = None,
    ) -> None:
        self.config = leaky_config(config, capacity, leak_rate)
        if handler is not None and not callable(handler):
            raise TypeError(f"handler must be callable, got {handler!r}")
        check_plain("on_error", on_error)
        self._handler, self._on_error = handler, on_error
        self._max_running = whole("max_running", max_running, 1, 1_000_000)
        self._interval = 1 / self.config.leak_rate
        self._queue: deque[str] = deque()
        self._closed = False
        self._turn = 0
        self._move_to(None)
        limits_off.call_when_off(self._hurry)

    @property
    def waiting(self) -> int:
        """Requests that wait, 0 to ``capacity``; those in hand are not counted."""
        return len(self._queue)

    @to_be_awaited
    async def submit(self, request_id: str) -> bool:
        """Put a request in line; ``False`` at once if the bucket is full or closed.

        Raises ``TypeError`` if ``request_id`` is no str, and ``RuntimeError`` while the
        bucket leaks in another event loop.
        """
        if not isinstance(request_id, str):
            raise TypeError(f"request_id must be a str, got {request_id!r}")
        full = len(self._queue) >= self.config.capacity and not limits_off.are_off()
        if self._closed or full:
            return False
        self._come_to(asyncio.get_running_loop())
        self._queue.append(request_id)
        self._keep_leaking()
        return True

    async def aclose(self, drain: bool = True) -> list[str]:
        """Take no more requests, and return when none is left.

        With ``drain`` those that wait are still handled, at the leak's rate. Without it
        those in hand are cancelled, and those that wait are returned. A caller of the
        first that is cancelled stops nothing: call the second then.

        Raises ``RuntimeError`` if a handler drains its own bucket, for it would wait for
        itself, and while the bucket leaks in another event loop.
        """
        self._come_to(asyncio.get_running_loop())
        if drain and asyncio.current_task() in self._running:
            raise RuntimeError("a handler cannot drain its own bucket: use aclose(drain=False)")
        self._closed = True
        left: list[str] = []
        if drain:
            self._keep_leaking()
        else:
            left.extend(self._queue)
            self._queue.clear()
            for task in self._tasks():
                task.cancel()
        while tasks := self._tasks():
            await asyncio.wait(tasks)
        return left

    def __reduce__(self) -> NoReturn:
        stays(self, "requests")

    async def __aenter__(self) -> LeakyBucket:
        """Open the bucket, also one that was closed."""
        self._closed = False
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Drain, or cancel what is left if the block raised."""
        await self.aclose(drain=kind is None)

    async def _handle_request(self, request_id: str) -> None:
        """Override to process a request; calls the handler."""
        if self._handler is not None:
            done = self._handler(request_id)
            if isawaitable(done):
                await done

    def _come_to(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._loop is loop:
            return
        if self._loop is not None and self._loop.is_running() and self._tasks():
            raise RuntimeError("the bucket leaks in another event loop")
        self._move_to(loop)

    def _move_to(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Forget the tasks of an event loop that runs no more."""
        self._loop = loop
        self._turn += 1
        self._leaking: asyncio.Task[None] | None = None
        self._running: set[asyncio.Task[None]] = set()
        self._due = -inf
        self._bell: asyncio.Future[None] | None = None

    def _tasks(self) -> set[asyncio.Task[None]]:
        """What goes on, but for the task that asks."""
        leaking = set() if self._leaking is None else {self._leaking}
        here = {task for task in leaking | self._running if not task.done()}
        return here - {asyncio.current_task()}

    def _keep_leaking(self) -> None:
        if self._queue and (self._leaking is None or self._leaking.done()):
            assert self._loop is not None
            # An idle bucket saves nothing up.
            self._due = max(self._due, self._loop.time())
            self._leaking = self._loop.create_task(self._leak(self._loop, self._turn))

    async def _leak(self, loop: asyncio.AbstractEventLoop, turn: int) -> None:
        running = self._running
        while self._queue:
            await self._until_due(loop)
            while len(running) >= self._max_running:
                await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if self._turn != turn:
                return  # this loop was stopped and runs again; another has taken over
            task = loop.create_task(self._handle(self._queue.popleft()))
            running.add(task)
            task.add_done_callback(running.discard)
            if limits_off.are_off():
                continue
            # From when it was due, not from now, or every late timer would add up.
            late = max(self._interval, _LATE_SECONDS)
            self._due = max(self._due, loop.time() - late) + self._interval

    async def _until_due(self, loop: asyncio.AbstractEventLoop) -> None:
        """Return when the next request is due, or when limits go off."""
        seconds = self._due - loop.time()
        if seconds <= 0 or limits_off.are_off():
            await asyncio.sleep(0)
            return
        bell = self._bell = loop.create_future()
        timer = loop.call_later(seconds, _ring, bell)
        try:
            # Asked again: they may have gone off before there was a bell.
            if not limits_off.are_off():
                await bell
        finally:
            timer.cancel()

    def _hurry(self) -> None:
        """Limits have gone off, in any thread."""
        bell = self._bell
        if bell is None or bell.get_loop().is_closed():
            return
        bell.get_loop().call_soon_threadsafe(_ring, bell)

    async def _handle(self, request_id: str) -> None:
        try:
            await self._handle_request(request_id)
        except Exception as error:
            self._report(request_id, error)

    def _report(self, request_id: str, error: Exception) -> None:
        if self._on_error is None:
            _log.error("handling request %r failed", request_id, exc_info=error)
            return
        try:
            self._on_error(request_id, error)
        except Exception:
            _log.exception("on_error failed for request %r", request_id)


def _ring(bell: asyncio.Future[None]) -> None:
    if not bell.done():
        bell.set_result(None)
