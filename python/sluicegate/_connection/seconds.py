"""How long to wait: as callers say it, and where nobody can tell."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from random import uniform

__all__ = ["pauses", "seconds_of"]

# 31 years. An int may be too large for a float.
_FOR_EVER = 1e9
# In seconds; it doubles.
_SHORTEST, _LONGEST = 0.005, 0.1


def seconds_of(timeout: object) -> float:
    if timeout is None:
        return inf
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(
            f"timeout must be an int or a float, got {type(timeout).__name__} {timeout!r}"
        )
    if not timeout >= 0:
        raise ValueError(f"timeout must be a number of seconds from 0, got {timeout!r}")
    return inf if timeout > _FOR_EVER else float(timeout)


def pauses() -> Iterator[float]:
    """Seconds until permits are asked for again, which may be given back at any time. About so many, as
    others ask as well.
    """
    pause = _SHORTEST
    while True:
        yield pause * uniform(0.75, 1.25)
        pause = min(2 * pause, _LONGEST)
