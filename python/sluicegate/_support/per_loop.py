"""What each event loop has of its own, for as long as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar
from weakref import ref

__all__ = ["PerLoop"]

T = TypeVar("T")
_Loop = asyncio.AbstractEventLoop


class PerLoop(Generic[T]):
    """One thing for each event loop, from any number of threads with loops of their own.

    No lock is needed: only its own thread asks for a loop, and all that is done to the dict
    is one step of the interpreter's. (A WeakKeyDictionary is changed by one thread while
    another goes through it.)
    """

    __slots__ = ("_made",)

    def __init__(self) -> None:
        self._made: dict[int, tuple[ref[_Loop], T]] = {}

    def find(self, loop: _Loop) -> T | None:
        """That of a running loop, if there is one."""
        found = self._made.get(id(loop))
        return None if found is None else found[1]

    def here(self, loop: _Loop, make: Callable[[], T]) -> T:
        """That of a running loop, made when it is first asked for."""
        found = self._made.get(id(loop))
        return self._new(loop, make()) if found is None else found[1]

    def all(self) -> list[T]:
        """Those of all loops that there are."""
        return [thing for _, thing in list(self._made.values())]

    def _new(self, loop: _Loop, thing: T) -> T:
        # A loop that was closed while somebody waited in it is held by what waits.
        for known, _ in list(self._made.values()):
            other = known()
            if other is not None and other.is_closed():
                self._made.pop(id(other), None)
        number = id(loop)
        gone = partial(_forget, self._made, number)
        self._made[number] = ref(loop, gone), thing
        return thing


def _forget(made: dict[int, tuple[ref[_Loop], T]], number: int, _: object) -> None:
    made.pop(number, None)
