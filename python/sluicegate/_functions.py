"""What kind of function a decorator was given."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["check_function", "is_async"]


def is_async(func: Callable[..., Any]) -> bool:
    """Whether ``func`` is a coroutine function, or an object that is called like one."""
    return inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(type(func).__call__)


def check_function(func: object) -> None:
    """Raise ``TypeError`` unless ``func`` can be called and returns its answer."""
    if not callable(func):
        raise TypeError(f"func must be callable, got {func!r}")
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise TypeError(f"func must return its answer, not yield it, got {func!r}")
