"""What kind of function a decorator was given."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TypeVar

__all__ = [
    "Types",
    "check_callables",
    "check_function",
    "check_plain",
    "exception_types",
    "is_async",
    "returned",
]

R = TypeVar("R")
#: One class of exceptions, or several.
Types = type[Exception] | tuple[type[Exception], ...]


def is_async(func: object) -> bool:
    """Whether ``func`` is a coroutine function, or an object that is called like one."""
    while isinstance(func, partial):
        func = func.func
    either = (func, type(func).__call__)
    # The second is how those are marked that return a coroutine without being `async def`.
    return any(inspect.iscoroutinefunction(f) or hasattr(f, "_is_coroutine") for f in either)


def check_function(func: object) -> None:
    """Raise ``TypeError`` unless ``func`` can be called and returns its answer."""
    if not callable(func):
        raise TypeError(f"func must be callable, got {func!r}")
    if inspect.isgeneratorfunction(func) or inspect.isasyncgenfunction(func):
        raise TypeError(f"func must return its answer, not yield it, got {func!r}")


def check_callables(**options: object) -> None:
    """Raise ``TypeError`` that names the option unless each is ``None`` or can be called."""
    for option, value in options.items():
        if not (value is None or callable(value)):
            raise TypeError(f"{option} must be callable, got {value!r}")


def check_plain(argument: str, value: object) -> None:
    """Raise ``TypeError`` unless ``value`` is ``None`` or a function that nobody awaits."""
    if value is None:
        return
    if not callable(value):
        raise TypeError(f"{argument} must be callable, got {value!r}")
    if is_async(value):
        raise TypeError(f"{argument} must be a plain function, got {value!r}")


def returned(answer: R) -> R:
    """The answer of a plain function, which is no promise of one."""
    if inspect.isawaitable(answer):
        if inspect.iscoroutine(answer):
            answer.close()  # or Python warns that it was never awaited
        raise TypeError("func must be a coroutine function if what it returns is awaited")
    return answer


def exception_types(argument: str, kinds: Types) -> tuple[type[Exception], ...]:
    """The classes; a ``TypeError`` that names ``argument`` if one is no exception's."""
    found = kinds if isinstance(kinds, tuple) else (kinds,)
    for kind in found:
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            raise TypeError(f"{argument} must be subclasses of Exception, got {kind!r}")
    return found
