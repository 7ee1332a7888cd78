"""Look-ups under way in one event loop: who shares them, and who waits for them to end."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from sluicegate.identity.principal import verified_principal

if TYPE_CHECKING:
    from sluicegate.identity.principal import Principal

__all__ = ["Here", "LookUp", "Queues", "is_closed", "pause", "running_loop"]


def running_loop() -> Any:
    """The event loop that runs this: asyncio's, or trio's token."""
    trio = _trio()
    if trio is not None:
        return trio.lowlevel.current_trio_token()
    import asyncio

    return asyncio.get_running_loop()


def _trio() -> Any:
    """The module, if it runs the caller."""
    trio: Any = sys.modules.get("trio")
    if trio is None:
        return None
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None
    return trio


def _library() -> Any:
    """The one that runs the caller, trio or asyncio: both have events and sleep."""
    import asyncio

    return _trio() or asyncio


async def pause(seconds: float) -> None:
    """Sleep, under asyncio or trio."""
    await _library().sleep(seconds)


def _start(
    run: Callable[[], Coroutine[Any, Any, None]], ended: Callable[[], None]
) -> Callable[[], object]:
    """Run it in a task of its own, in a copy of this context; returns what cancels it.

    ``ended`` is called if it ends before its first step.
    """
    trio = _trio()
    if trio is not None:
        scope = trio.CancelScope()

        async def main() -> None:
            with scope:
                await run()

        def cancel() -> None:
            scope.cancel()

        trio.lowlevel.spawn_system_task(main, context=copy_context())
        return cancel
    import asyncio

    def done(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # whoever waits is told of it elsewhere
        ended()

    task = asyncio.ensure_future(run())
    task.add_done_callback(done)

    def cancel_task() -> None:
        # A caller may end long after its loop, as garbage.
        if not task.get_loop().is_closed():
            task.cancel()

    return cancel_task


class LookUp:
    """One look-up, and those who wait for it.

    It goes on beside them until it is done or none of them waits any more.

    Args:
        answer: what ``verify`` has returned.
        settle: called when it is over, with what it found; ``None`` if it did not come to that.
    """

    __slots__ = ("_answer", "_callers", "_cancel", "_done", "_error", "_found", "_over", "_settle")

    def __init__(
        self, answer: Awaitable[object], settle: Callable[[Principal | None], None]
    ) -> None:
        self._answer: Awaitable[object] | None = answer
        self._settle = settle
        self._callers = 0
        self._done = _library().Event()
        self._error: BaseException | None = None
        self._found: Principal | None = None
        self._over = False
        self._cancel: Callable[[], object] | None = None

    def start(self) -> None:
        try:
            self._cancel = _start(self._run, self._end)
        except BaseException:
            self._end()
            raise

    async def join(self) -> Principal | None:
        """What it finds, or its exception. The last caller who is cancelled cancels it."""
        self._callers += 1
        try:
            await self._done.wait()
        finally:
            self._callers -= 1
            if not (self._callers or self._over) and self._cancel is not None:
                self._cancel()
        if self._error is not None:
            raise self._error
        return self._found

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for it. What nobody wants is being cancelled."""
        return self._callers > 0

    async def _run(self) -> None:
        assert self._answer is not None
        answer, self._answer = self._answer, None
        try:
            self._found = verified_principal(await answer)
        except Exception as error:
            self._error = error
        except BaseException as error:
            self._error = error
            raise
        finally:
            self._end()

    def _end(self) -> None:
        """It is over, however it came to that."""
        if self._over:
            return
        self._over = True
        close = getattr(self._answer, "close", None)
        if close is not None:
            close()  # a coroutine that was cancelled before its first step
        self._done.set()
        self._settle(self._found)


class _Queue:
    """How many look-ups of one budget are under way, and who waits for one of them to end."""

    __slots__ = ("under_way", "waiting")

    def __init__(self) -> None:
        self.under_way = 0
        self.waiting: dict[Any, None] = {}


class Queues:
    """Where requests wait while the look-ups under way have taken the whole of a budget."""

    __slots__ = ("_queues",)

    def __init__(self) -> None:
        self._queues: dict[Hashable, _Queue] = {}

    def under_way(self, budget: Hashable) -> int:
        queue = self._queues.get(budget)
        return 0 if queue is None else queue.under_way

    def begun(self, budget: Hashable) -> None:
        self._queues.setdefault(budget, _Queue()).under_way += 1

    def ended(self, budget: Hashable) -> None:
        self._queues[budget].under_way -= 1
        self.ring(budget)

    async def wait(self, budget: Hashable) -> bool:
        """Wait until one may have ended; at once ``False`` if none is under way.

        Whoever has waited, and goes away, rings the next: there may be room for it as well.
        """
        queue = self._queues.get(budget)
        if queue is None or not queue.under_way:
            return False
        event = _library().Event()
        queue.waiting[event] = None
        try:
            await event.wait()
        finally:
            queue.waiting.pop(event, None)
        return True

    def ring(self, budget: Hashable) -> None:
        queue = self._queues.get(budget)
        if queue is None:
            return
        if queue.waiting:
            event = next(iter(queue.waiting))
            del queue.waiting[event]
            event.set()
        elif not queue.under_way:
            del self._queues[budget]


class Here:
    """What is under way in one event loop: by key, and by budget."""

    __slots__ = ("look_ups", "queues")

    def __init__(self) -> None:
        self.look_ups: dict[tuple[bytes, object], LookUp] = {}
        self.queues = Queues()


def is_closed(loop: Any) -> bool:
    """Whether it is a loop of asyncio's that has ended; trio ends what runs in it."""
    closed = getattr(loop, "is_closed", None)
    return closed is not None and closed()
