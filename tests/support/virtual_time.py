"""An event loop whose time is a number: it waits for nothing, and its timers can be late."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualLoop(asyncio.SelectorEventLoop):
    """Each timer fires ``late()`` seconds after its time."""

    def __init__(self, late: Callable[[], float] = lambda: 0.0) -> None:
        self.now = 1_000.0
        self.late = late
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.now


class _Selector(selectors.SelectSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout != 0:
            assert timeout is not None, "nothing would ever happen"
            self._loop.now += timeout + self._loop.late()
        return ready


def run(main: Coroutine[Any, Any, T], late: Callable[[], float] = lambda: 0.0) -> T:
    """As ``asyncio.run``, in virtual time."""
    loop = VirtualLoop(late)
    try:
        return loop.run_until_complete(main)
    finally:
        if tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks))
        loop.close()


def now() -> float:
    """The running loop's time."""
    return asyncio.get_running_loop().time()
