"""Those of one event loop who wait for one key in Redis, in order."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from math import inf
from weakref import WeakKeyDictionary

from sluicegate._core import Decision

__all__ = ["Line", "Lines", "RungLine", "refused", "seconds_of"]

Turn = asyncio.Future[None]

# Seconds: 31 years. An int may be too large for a float.
_FOR_EVER = 1e9


class Line:
    """The first asks the server again and again; the others wait to be first."""

    __slots__ = ("_turns",)

    def __init__(self) -> None:
        self._turns: OrderedDict[Turn, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._turns)

    def join(self, loop: asyncio.AbstractEventLoop) -> Turn:
        turn: Turn = loop.create_future()
        if not self._turns:
            turn.set_result(None)
        self._turns[turn] = None
        return turn

    async def come_first(self, turn: Turn, seconds: float) -> bool:
        """Whether that took no longer than ``seconds``."""
        await _set_within(turn, seconds)
        return next(iter(self._turns)) is turn

    def leave(self, turn: Turn) -> None:
        was_first = next(iter(self._turns)) is turn
        del self._turns[turn]
        if was_first and self._turns and not turn.get_loop().is_closed():
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
        self._by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, Line]]
        self._by_loop = WeakKeyDictionary()

    def __len__(self) -> int:
        """How many lines there are."""
        return sum(map(len, self._by_loop.values()))

    def here(self, loop: asyncio.AbstractEventLoop) -> dict[str, Line]:
        """Those of a running loop."""
        lines = self._by_loop.get(loop)
        if lines is None:
            # A loop that was closed while somebody waited is held by the line.
            for other in [other for other in self._by_loop if other.is_closed()]:
                del self._by_loop[other]
            lines = self._by_loop[loop] = {}
        return lines


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


def refused(decision: Decision) -> Decision:
    """The same as a refusal: others were first."""
    if not decision:
        return decision
    return Decision(
        False,
        decision.limit,
        decision.remaining,
        0.000001,
        decision.reset_after,
        decision.reset_at,
        decision.store,
    )
