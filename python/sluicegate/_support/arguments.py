"""Arguments, checked once and refused with their name and range, and texts as messages show them."""

from __future__ import annotations

from sluicegate._core import ManualClock

__all__ = [
    "checked_clock",
    "checked_key",
    "checked_prefix",
    "number",
    "printable",
    "seconds_to_wait",
    "whole",
]


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
            f"{argument} must be a number of {unit} from {_plainly(low)} to {_plainly(high)}, "
            f"got {value}"
        )
    return float(value)


def _plainly(bound: float) -> str:
    """A bound as one reads it, down to a millionth."""
    text = f"{bound:,.6f}"
    return text.rstrip("0").rstrip(".")


def printable(text: str) -> str:
    """``text`` with nothing in it that a terminal obeys, or that nobody sees: ``\\x1b`` for it."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def checked_clock(clock: object) -> None:
    """Raise ``TypeError`` unless ``clock`` is ``None`` or one for tests."""
    if not (clock is None or isinstance(clock, ManualClock)):
        raise TypeError(f"clock must be a ManualClock or None, got {clock!r}")


def checked_key(key: object) -> str:
    """``key`` if it is a str."""
    if not isinstance(key, str):
        raise TypeError(f"key must be a str, got {type(key).__name__} {key!r}")
    return key


def checked_prefix(prefix: object) -> str:
    """``prefix`` if keys in Redis may begin with it."""
    if not isinstance(prefix, str):
        raise TypeError(f"prefix must be a str or None, got {type(prefix).__name__} {prefix!r}")
    size = len(prefix.encode("utf-8", "surrogatepass"))
    if size > 64 or set(prefix) & set("{}") or any("\ud800" <= c <= "\udfff" for c in prefix):
        raise ValueError(
            f"prefix must be up to 64 bytes of UTF-8 and without braces, got {prefix!r}"
        )
    return prefix


def seconds_to_wait(timeout: object) -> float:
    """``timeout`` as a float from 0; ``None`` and infinity are for ever."""
    for_ever = float("inf")
    if timeout is None or timeout == for_ever:
        return for_ever
    return number("timeout", timeout, 0, 1e9, "seconds")
