"""Those of one event loop who wait for one key in Redis, in order."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from heapq import heapify, heappop, heappush
from itertools import count
from math import inf
from random import uniform
from typing import TypeVar

from sluicegate._core import Decision
from sluicegate._support.per_loop import PerLoop

__all__ = ["Line", "Lines", "RungLine", "refused", "seconds_of"]

T = TypeVar("T")
Turn = asyncio.Future[None]

# Between two questions to the server, in seconds; it doubles.
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.005, 0.1
# Seconds: 31 years. An int may be too large for a float.
_FOR_EVER = 1e9
# Fewer deadlines of those who have left than this are not worth looking for.
_FEW = 16


class Line:
    """The first asks the server again and again; the others wait to be first.

    Deadlines are by the loop's clock.
    """

    __slots__ = ("_deadlines", "_numbers", "_turns", "free_at")

    def __init__(self) -> None:
        self._turns: OrderedDict[Turn, None] = OrderedDict()
        # Those of the turns, and of some that are over: the soonest first.
        self._deadlines: list[tuple[float, int, Turn]] = []
        self._numbers = count()
        #: When the first may be admitted, as the server told it: nobody is before that.
        self.free_at = -inf

    def __len__(self) -> int:
        return len(self._turns)

    def join(self, loop: asyncio.AbstractEventLoop, deadline: float = inf) -> Turn:
        turn: Turn = loop.create_future()
        if not self._turns or deadline < self.free_at:
            turn.set_result(None)
        elif deadline < inf:
            heappush(self._deadlines, (deadline, next(self._numbers), turn))
        self._turns[turn] = None
        return turn

    async def come_first(self, turn: Turn, seconds: float) -> bool:
        """Whether that took no longer than ``seconds``, and was not known to take longer."""
        await _set_within(turn, seconds)
        return next(iter(self._turns)) is turn

    def tell(self, free_at: float) -> None:
        """The first knows when it may be admitted: who cannot wait so long need not wait."""
        self.free_at = free_at
        while self._deadlines and self._deadlines[0][0] < free_at:
            _, _, turn = heappop(self._deadlines)
            if turn in self._turns:
                _set(turn)

    def leave(self, turn: Turn) -> None:
        was_first = next(iter(self._turns)) is turn
        del self._turns[turn]
        if len(self._deadlines) > 2 * len(self._turns) + _FEW:
            self._deadlines = [entry for entry in self._deadlines if entry[2] in self._turns]
            heapify(self._deadlines)
        if was_first:
            self.free_at = -inf  # the next may want less
            if self._turns and not turn.get_loop().is_closed():
                _set(next(iter(self._turns)))


class RungLine(Line):
    """A line whose first can be told to ask at once."""

    __slots__ = ("_bell", "_rung", "told")

    def __init__(self) -> None:
        super().__init__()
        self._bell: Turn | None = None
        self._rung = False
        #: Seconds until a permit may be free, as the first was told last.
        self.told = 1.0

    async def served(
        self, attempt: Callable[[], Awaitable[T | float]], seconds: float
    ) -> T | float:
        """What ``attempt`` gives to the first in line, in ``seconds`` at most.

        It is asked again and again until that is no float: seconds until it may be.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        turn = self.join(loop)
        pause = _SHORTEST_PAUSE
        try:
            if not await self.come_first(turn, seconds):
                return self.told
            while True:
                self.listen()
                got = await attempt()
                if not isinstance(got, float):
                    return got
                self.told = got
                left = deadline - loop.time()
                if left <= 0:
                    return got
                await self.pause(min(got, left, pause * uniform(0.75, 1.25)))
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self.leave(turn)

    def ring(self) -> None:
        """A permit was released: the first shall ask at once."""
        self._rung = True
        if self._bell is not None:
            _set(self._bell)

    def listen(self) -> None:
        """Forget earlier rings: what they told of is seen by asking now."""
        self._rung = False

    async def pause(self, seconds: float) -> None:
        """Until ``seconds`` have passed, or it has rung since ``listen``."""
        if self._rung:
            return
        self._bell = asyncio.get_running_loop().create_future()
        try:
            await _set_within(self._bell, seconds)
        finally:
            self._bell = None


class Lines:
    """The lines of a limiter, by event loop and key."""

    __slots__ = ("_by_loop",)

    def __init__(self) -> None:
        self._by_loop: PerLoop[dict[str, Line]] = PerLoop()

    def __len__(self) -> int:
        """How many lines there are."""
        return sum(map(len, self._by_loop.all()))

    def here(self, loop: asyncio.AbstractEventLoop) -> dict[str, Line]:
        """Those of a running loop."""
        return self._by_loop.here(loop, dict)


async def _set_within(future: Turn, seconds: float) -> None:
    """Until somebody has set it, or after ``seconds`` we have."""
    timer = None if seconds == inf else future.get_loop().call_later(seconds, _set, future)
    try:
        await future
    finally:
        if timer is not None:
            timer.cancel()


def _set(future: Turn) -> None:
    if not future.done():
        future.set_result(None)


def seconds_of(timeout: object) -> float:
    if timeout is None:
        return inf
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be an int or a float, got {type(timeout).__name__}")
    if not timeout >= 0:
        raise ValueError(f"timeout must be a number of seconds from 0, got {timeout!r}")
    return inf if timeout > _FOR_EVER else float(timeout)


def refused(decision: Decision, at_least: float) -> Decision:
    """The same as a refusal for ``at_least`` so many seconds: others were first."""
    wait = max(at_least, 0.000001)
    if not decision and decision.retry_after >= wait:
        return decision
    return Decision(
        False,
        decision.limit,
        decision.remaining,
        wait,
        decision.reset_after,
        decision.reset_at,
        decision.store,
    )
