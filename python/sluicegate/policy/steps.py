"""How a decision is made without I/O: by steps that say what to call, and are sent the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any, TypeVar

from sluicegate.errors import StoreError

__all__ = ["Call", "Charged", "Cost", "Steps", "checked_cost", "checked_text", "put_right"]

T = TypeVar("T")

_log = logging.getLogger("sluicegate")

#: Of the only unit, or of requests; or by unit.
Cost = int | Mapping[str, int]

#: The same as a tier's limits are charged; or by limit, where each has a cost of its own.
Charged = Cost | tuple[int, ...]

#: A function and its arguments.
Call = tuple[Callable[..., Any], tuple[Any, ...]]

#: Yields calls. The shell makes each, awaits what it gives if need be, and sends that back, or
#: throws what was raised. Returns a ``T``.
Steps = Generator[Call, Any, T]


def checked_cost(cost: Any) -> Cost:
    """What the option ``cost`` says that a request costs."""
    if type(cost) is int and cost >= 0:  # most often, and at once
        return cost
    if not cost or not isinstance(cost, Mapping):
        return _checked_units(cost, "")
    for unit, units in cost.items():
        if not isinstance(unit, str):
            raise TypeError(
                f"cost must be by units, but the function cost= returned {dict(cost)!r}"
            )
        _checked_units(units, f"[{unit!r}]")
    return cost


def _checked_units(cost: Any, place: str) -> int:
    if isinstance(cost, bool) or not isinstance(cost, int):
        kind = type(cost).__name__
        raise TypeError(
            f"cost{place} must be an int, but the function cost= returned {kind} {cost!r}"
        )
    if cost < 0:
        raise ValueError(
            f"cost{place} must be an int from 0, but the function cost= returned {cost}"
        )
    return cost


def checked_text(option: str, text: Any) -> str | None:
    """What the function that is given as ``option`` says of a request."""
    if not (text is None or isinstance(text, str)):
        raise TypeError(f"{option} must return a str or None, got {type(text).__name__}")
    return text


def put_right(calls: Iterable[Call | None], failure: str) -> Steps[None]:
    """Make the calls that put right what was spent. Whatever becomes of one, the others are made.

    ``failure`` is what the log says of one that raised what no store does.
    """
    for call in calls:
        if call is not None:
            try:
                yield call
            except (StoreError, ValueError):  # the limit may have been lowered since
                pass
            except Exception:
                _log.exception(failure)
