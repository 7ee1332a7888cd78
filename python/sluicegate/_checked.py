"""Arguments that are numbers: checked once, refused with the argument's name and range."""

from __future__ import annotations

__all__ = ["number", "whole"]


def whole(argument: str, value: object, low: int, high: int) -> int:
    """``value`` if it is an int from ``low`` to ``high``."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{argument} must be an int, got {type(value).__name__} {value!r}")
    if not low <= value <= high:
        raise ValueError(f"{argument} must be an int from {low:,} to {high:,}, got {value}")
    return value


def number(argument: str, value: object, low: float, high: float, unit: str) -> float:
    """``value`` as a float if it is a number from ``low`` to ``high``; nan is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(
            f"{argument} must be an int or a float, got {type(value).__name__} {value!r}"
        )
    if not low <= value <= high:
        raise ValueError(
            f"{argument} must be a number of {unit} from {low:g} to {high:g}, got {value}"
        )
    return float(value)
