"""Values that may have to be awaited, and steps that have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar, cast

__all__ = ["at_once", "drive", "drive_at_once", "maybe_await"]

T = TypeVar("T")


async def maybe_await(value: Awaitable[T] | T) -> T:
    """The value, awaited if it is awaitable: a coroutine function gave it, or a limiter in Redis."""
    if not isinstance(value, Awaitable):
        return value
    return await cast("Awaitable[T]", value)


async def drive(steps: Generator[tuple[Callable[..., Any], tuple[Any, ...]], Any, T]) -> T:
    """Make each call that ``steps`` yields, and return what they return."""
    try:
        function, arguments = next(steps)
        while True:
            try:
                answer = function(*arguments)
                if hasattr(answer, "__await__"):
                    answer = await answer
            except Exception as error:  # noqa: PERF203
                function, arguments = steps.throw(error)
            else:
                function, arguments = steps.send(answer)
    except StopIteration as end:
        returned: T = end.value
        return returned


def drive_at_once(steps: Generator[tuple[Callable[..., Any], tuple[Any, ...]], Any, T]) -> T:
    """The same where nobody can await: what gives something to be awaited raises a ``TypeError``."""
    try:
        function, arguments = next(steps)
        while True:
            try:
                answer = function(*arguments)
                if hasattr(answer, "__await__"):
                    raise _never_awaited(function, answer)
            except Exception as error:  # noqa: PERF203
                function, arguments = steps.throw(error)
            else:
                function, arguments = steps.send(answer)
    except StopIteration as end:
        returned: T = end.value
        return returned


def _never_awaited(function: object, answer: Any) -> TypeError:
    close = getattr(answer, "close", None)
    if close is not None:
        close()  # or Python warns that it was never awaited
    return TypeError(f"{function!r} must return its answer here, where nobody can await it")


def at_once(steps: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that never waits: all that it awaits is there, or blocks."""
    try:
        steps.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    steps.close()
    raise RuntimeError("waited, where nobody runs an event loop")
