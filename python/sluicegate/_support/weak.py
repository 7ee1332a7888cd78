"""Dictionaries and methods that hold nobody: an object takes along what was kept for it."""

from __future__ import annotations

from _weakref import _remove_dead_weakref  # type: ignore[attr-defined]
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import ref

__all__ = ["Weak", "weak_method"]

T = TypeVar("T")


class Weak(Generic[T]):
    """Objects by their keys, each as long as somebody else holds it.

    Any thread may call it, without a lock. Where an object dies a list's method notes it and not a function
    of ours, in which what a signal's handler raises, as Ctrl-C does, would be lost.
    """

    __slots__ = ("_gone", "_known")

    def __init__(self) -> None:
        self._known: dict[Any, _Known[T]] = {}
        self._gone: list[_Known[T]] = []

    def __len__(self) -> int:
        self.sweep()
        return len(self._known)

    def get(self, key: object) -> T | None:
        known = self._known.get(key)
        return None if known is None else known()

    def get_or_make(self, key: object, make: Callable[[], T]) -> T:
        """What all threads get as long as one of them holds it."""
        while (there := self.get(key)) is None:
            # Dead ones alone are taken out, so what somebody holds stays where it is.
            _remove_dead_weakref(self._known, key)
            new = make()
            known = _Known(new, self._gone.append)
            known.key = key
            self._known.setdefault(key, known)
        return there

    def items(self) -> list[tuple[Any, T]]:
        """Those that there are now."""
        known = self._known.copy()  # in one step
        return [(key, there) for key, weak in known.items() if (there := weak()) is not None]

    def pop(self, key: object) -> None:
        self._known.pop(key, None)

    def clear(self) -> None:
        self._known.clear()

    def sweep(self) -> None:
        """Take out those that have died; it may be interrupted, and called at once by several."""
        while dead := self._gone[-1:]:
            _remove_dead_weakref(self._known, getattr(dead[0], "key", None))
            with suppress(ValueError):
                self._gone.remove(dead[0])


class _Known(ref[T]):
    """Where it stands; nowhere, if that could not be noted any more."""

    __slots__ = ("key",)

    key: object


def weak_method(
    method: Any, known: dict[int, Any], number: int
) -> Callable[[], Callable[[], object] | None]:
    """What gives a bound method while its object lives; ``known[number]`` goes with the object.

    The standard library's ``WeakMethod`` tells of an error when an interpreter ends with the object alive.
    """
    # Bound now: what the module's names stand for is gone before the last objects are.
    forget = partial(known.pop, number, None)
    return partial(_of, ref(method.__self__, lambda _: forget()), method.__func__)


def _of(owner: ref[Any], function: Callable[..., Any]) -> Callable[[], object] | None:
    there = owner()
    return None if there is None else function.__get__(there)
