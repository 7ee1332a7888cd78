"""Cancels a coroutine at each place where it waits, once before and once after what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any


class Cancelled:
    """Runs a coroutine in the task that awaits this, and cancels that task at its ``at``-th wait.

    ``late``: only once what it waits for is done, but before it has been told.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, Any], at: int, late: bool) -> None:
        self.coroutine, self.at, self.late = coroutine, at, late
        self.waits = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        running = self.coroutine.__await__()
        result: Any = None
        error: BaseException | None = None
        while True:
            try:
                awaited = running.send(result) if error is None else running.throw(error)
            except StopIteration as done:
                return done.value
            self.waits += 1
            if self.waits == self.at:
                if self.late and awaited is not None:
                    # Before the task's own callback, which tells it.
                    awaited.add_done_callback(lambda _: task.cancel())
                else:
                    asyncio.get_running_loop().call_soon(task.cancel)
            result = error = None
            try:
                result = yield awaited
            except BaseException as thrown:
                error = thrown


async def cancelled_everywhere(
    work: Callable[[], Coroutine[Any, Any, Any]], check: Callable[[], Awaitable[None]]
) -> int:
    """Run ``work`` cancelled at each wait, and ``check`` after each; how often it was cancelled."""
    count = 0
    for late in (False, True):
        for at in range(1, 100):
            run = Cancelled(work(), at, late)

            async def main(run: Cancelled = run) -> None:
                await run

            done = await asyncio.gather(asyncio.create_task(main()), return_exceptions=True)
            await check()
            if run.waits < at:
                assert done == [None]
                break
            assert isinstance(done[0], asyncio.CancelledError), done
            count += 1
    return count
