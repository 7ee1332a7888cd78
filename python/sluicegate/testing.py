"""For tests of code that is rate limited: a clock to move, and a switch."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from sluicegate._core import ManualClock
from sluicegate._support import limits_off as _limits_off
from sluicegate._support.functions import is_async

__all__ = ["ManualClock", "limits_off"]

P = ParamSpec("P")
R = TypeVar("R")


def limits_off() -> _LimitsOff:
    """Admit everything, in every thread, while the block runs.

    Also a decorator of functions, coroutine functions and generator functions: limits are off
    from the call, the first step, to the end. Nothing is spent or counted, who waits goes on, a
    circuit lets everything through, and a leaky bucket handles what it has at once. Arguments
    are still checked, ``max_running`` still holds, and permits taken meanwhile stay beside the
    limit. Who waits in Redis goes on with its next question. Blocks may nest.

    Raises ``TypeError`` if what is decorated is no function.
    """
    return _LimitsOff()


class _LimitsOff:
    """``with`` it, as often as wanted, or decorate with it."""

    __slots__ = ()

    def __enter__(self) -> None:
        _limits_off.set_off(off=True)

    def __exit__(self, *_: object) -> None:
        _limits_off.set_off(off=False)

    def __call__(self, func: Callable[P, R]) -> Callable[P, R]:
        if not callable(func) or inspect.isclass(func):
            raise TypeError(f"func must be a function, got {func!r}")
        body: Any = func
        return wraps(func)(self._around(body))

    def _around(self, func: Callable[..., Any]) -> Any:
        if inspect.isasyncgenfunction(func):

            async def async_generator(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
                with self:
                    async with aclosing(func(*args, **kwargs)) as steps:
                        async for step in steps:
                            yield step

            return async_generator
        if inspect.isgeneratorfunction(func):

            def generator(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
                with self:
                    return (yield from func(*args, **kwargs))

            return generator
        if is_async(func):

            async def coroutine(*args: Any, **kwargs: Any) -> Any:
                with self:
                    return await func(*args, **kwargs)

            return coroutine

        def plain(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return plain
