"""How a decision is made without I/O: by steps that say what to call, and are sent the answer."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

__all__ = ["Steps", "checked_cost", "checked_text"]

T = TypeVar("T")

#: Yields a function and its arguments. The shell calls it, awaits what it gives if need be, and
#: sends that back, or throws what was raised. Returns a ``T``.
Steps = Generator[tuple[Callable[..., Any], tuple[Any, ...]], Any, T]


def checked_cost(cost: Any) -> int:
    """What the option ``cost`` says that a request costs."""
    if isinstance(cost, bool) or not isinstance(cost, int):
        kind = type(cost).__name__
        raise TypeError(f"cost must be an int, but the function cost= returned {kind} {cost!r}")
    if cost < 0:
        raise ValueError(f"cost must be an int from 0, but the function cost= returned {cost}")
    return cost


def checked_text(option: str, text: Any) -> str | None:
    """What the function that is given as ``option`` says of a request."""
    if not (text is None or isinstance(text, str)):
        raise TypeError(f"{option} must return a str or None, got {type(text).__name__}")
    return text
