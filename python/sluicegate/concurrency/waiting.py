"""Waiting for permits in Redis: a call as it stands in line, and who waits in this process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import TYPE_CHECKING

from sluicegate._connection.places import Places
from sluicegate._connection.seconds import pauses
from sluicegate._support.weak import Weak
from sluicegate.concurrency.permit import Permit

if TYPE_CHECKING:
    from sluicegate._connection.waiter import Waiter

__all__ = ["PermitLines"]

# The only limit has no name.
_ONLY = ""


class _Told:
    """Seconds until a permit of a key may be free, as one who asked was told last."""

    __slots__ = ("__weakref__", "seconds")

    def __init__(self) -> None:
        self.seconds = 1.0


class _Attempt:
    """A permit; or the seconds, > 0, until one may be free."""

    __slots__ = ("got",)

    def __init__(self, got: Permit | float) -> None:
        self.got = got

    @property
    def allowed(self) -> bool:
        return isinstance(self.got, Permit)


class _Call:
    """One who wants a permit. It asks again and again, as a permit may be given back at any time."""

    __slots__ = ("_acquire", "_again", "_key", "_pauses", "_told")
    asks_in_turn = True

    def __init__(self, key: str, acquire: Callable[[], Awaitable[Permit | float]], told: _Told):
        self._key, self._acquire, self._told = key, acquire, told
        self._pauses, self._again = pauses(), 0.0

    async def check(self) -> _Attempt:
        got = await self._acquire()
        if isinstance(got, float):
            self._told.seconds = got
        return _Attempt(got)

    async def peek(self) -> _Attempt:
        return _Attempt(self._told.seconds)

    def places(self) -> dict[str, str]:
        return {_ONLY: self._key}

    def refused_by(self, attempt: _Attempt) -> tuple[str, ...]:
        return () if attempt.allowed else (_ONLY,)

    def wait(self, _: _Attempt, left: float) -> float:
        if left <= 0:
            return inf
        self._again = min(self._told.seconds, next(self._pauses), left)
        return self._again

    def free_after(self, _: _Attempt, __: str) -> float:
        return self._again

    def may_be_sooner(self, _: str) -> bool:
        return True

    def behind(self, attempt: _Attempt, _: Mapping[str, float]) -> _Attempt:
        return attempt


class PermitLines:
    """Those who wait for the permits of a limiter, by key: all event loops and threads in one order."""

    def __init__(self, patience: float) -> None:
        self.places: Places[_Attempt] = Places(patience)
        self._told = Weak[_Told]()

    def __len__(self) -> int:
        return len(self.places)

    async def served(
        self,
        key: str,
        acquire: Callable[[], Awaitable[Permit | float]],
        make: Callable[[int], Waiter],
        seconds: float,
    ) -> Permit | float:
        """What ``acquire`` gives to the first in line, in ``seconds`` at most."""
        try:
            call = _Call(key, acquire, self._told.get_or_make(key, _Told))
            return (await self.places.decided(call, make, seconds)).got
        finally:
            self._told.sweep()

    def told(self, key: str) -> float | None:
        """Seconds until a permit may be free, if somebody waits for one, whom nobody overtakes."""
        if self.places.lines.first(key) is None:
            return None
        told = self._told.get(key)
        return 1.0 if told is None else told.seconds

    def wake(self, key: str) -> None:
        """A permit was given back: who is first shall ask at once."""
        self.places.look_again(key)
