"""Those who wait for a permit in this process: threads and coroutines, in one line."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from math import inf
from threading import TIMEOUT_MAX, Lock
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sluicegate.concurrency import ConcurrencyLimiter, Permit

__all__ = ["Line", "Turn", "wait_here", "wait_in_thread"]


class Turn(Protocol):
    """A place in line, and the permit that it is for."""

    permit: Permit

    def ring(self) -> bool:
        """Wake who waits, once, from any thread. False: nobody waits there any more."""
        ...


class Line:
    """A key's permits: how many are live, and who waits for one. Nobody waits if one is free."""

    __slots__ = ("key", "left_behind", "live", "waiting")

    def __init__(self, key: str) -> None:
        self.key = key
        self.live = 0
        self.waiting: OrderedDict[Turn, None] = OrderedDict()
        self.left_behind = False  # in the process that this one was forked from


class _ThreadTurn:
    __slots__ = ("bell", "permit")

    def __init__(self, permit: Permit) -> None:
        self.permit = permit
        self.bell = Lock()
        self.bell.acquire()

    def ring(self) -> bool:
        self.bell.release()
        return True


class _CoroutineTurn:
    __slots__ = ("bell", "loop", "permit")

    def __init__(self, permit: Permit, loop: asyncio.AbstractEventLoop) -> None:
        self.permit = permit
        self.loop = loop
        self.bell: asyncio.Future[None] = loop.create_future()

    def ring(self) -> bool:
        try:
            self.loop.call_soon_threadsafe(self.ring_here)
        except RuntimeError:  # it is closed
            return False
        return True

    def ring_here(self) -> None:
        if not self.bell.done():
            self.bell.set_result(None)


def wait_in_thread(limiter: ConcurrencyLimiter, permit: Permit, seconds: float) -> bool:
    """Block this thread until ``permit`` is held, ``seconds`` at most; whether it is."""
    turn = _ThreadTurn(permit)
    try:
        if not limiter._join(turn):
            turn.bell.acquire(timeout=-1 if seconds > TIMEOUT_MAX else seconds)
        return limiter._leave(turn)
    except BaseException:
        limiter._leave(turn)
        permit.release()
        raise


async def wait_here(limiter: ConcurrencyLimiter, permit: Permit, seconds: float) -> bool:
    """Wait until ``permit`` is held, ``seconds`` at most; whether it is."""
    loop = asyncio.get_running_loop()
    turn = _CoroutineTurn(permit, loop)
    timer: asyncio.TimerHandle | None = None
    try:
        if not limiter._join(turn):
            if seconds != inf:
                timer = loop.call_later(seconds, turn.ring_here)
            await turn.bell
        return limiter._leave(turn)
    except BaseException:
        limiter._leave(turn)
        permit.release()
        raise
    finally:
        if timer is not None:
            timer.cancel()
