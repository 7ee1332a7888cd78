"""Those of one event loop who wait for permits of one key in Redis."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from math import inf

__all__ = ["Line"]

Turn = asyncio.Future[None]


class Line:
    """The first asks the server again and again; the others wait to be first."""

    __slots__ = ("_bell", "_rung", "_turns", "told")

    def __init__(self) -> None:
        self._turns: OrderedDict[Turn, None] = OrderedDict()
        self._bell: Turn | None = None
        self._rung = False
        #: Seconds until a permit may be free, as the first was told last.
        self.told = 1.0

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
        if was_first and self._turns:
            _set(next(iter(self._turns)))

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
