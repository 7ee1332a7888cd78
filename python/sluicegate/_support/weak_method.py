"""Bound methods that are known as long as their objects live."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import ref

__all__ = ["weak_method"]

Method = Callable[[], object]


def weak_method(method: Any, known: dict[int, Any], number: int) -> Callable[[], Method | None]:
    """What gives a bound method while its object lives; ``known[number]`` goes with the object.

    The standard library's ``WeakMethod`` tells of an error when an interpreter ends with the object alive.
    """
    # Bound now: what the module's names stand for is gone before the last objects are.
    forget = partial(known.pop, number, None)
    return partial(_of, ref(method.__self__, lambda _: forget()), method.__func__)


def _of(owner: ref[Any], function: Callable[..., Any]) -> Method | None:
    there = owner()
    return None if there is None else function.__get__(there)
