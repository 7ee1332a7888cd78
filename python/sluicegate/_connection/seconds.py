"""How long to wait, as callers say it."""

from __future__ import annotations

from math import inf

__all__ = ["seconds_of"]

# 31 years. An int may be too large for a float.
_FOR_EVER = 1e9


def seconds_of(timeout: object) -> float:
    if timeout is None:
        return inf
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be an int or a float, got {type(timeout).__name__}")
    if not timeout >= 0:
        raise ValueError(f"timeout must be a number of seconds from 0, got {timeout!r}")
    return inf if timeout > _FOR_EVER else float(timeout)
