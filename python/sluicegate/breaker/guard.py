"""Guarding a function, or a block, by a circuit."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import isawaitable
from typing import Any, ParamSpec, TypeVar, cast

from sluicegate._support.awaiting import at_once
from sluicegate._support.functions import check_function, is_async, returned
from sluicegate.breaker.admitting import Admitter
from sluicegate.breaker.calls import Admission, Result

__all__ = ["Guard"]

P = ParamSpec("P")
R = TypeVar("R")


class Guard:
    """One key's guard: ``@breaker.guard(key)``, ``async with`` or ``with breaker.guard(key):``.

    Entering raises :class:`~sluicegate.breaker.CircuitOpenError` or
    :class:`~sluicegate.RateLimitError` when the call is not let through.
    """

    __slots__ = ("_admission", "_admitter", "_entered", "_failed", "_key")

    def __init__(self, admitter: Admitter, key: str) -> None:
        self._admitter, self._key = admitter, key
        self._admission: Admission | None = None
        self._entered = self._failed = False

    def __call__(self, func: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, which blocks for circuits in Redis, or a coroutine function."""
        check_function(func)
        admitter, key = self._admitter, self._key
        if is_async(func):

            @wraps(func)
            async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await Guard(admitter, key).run(func, *args, **kwargs)

            return cast("Callable[P, R]", guarded_async)

        @wraps(func)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            return Guard(admitter, key).run_sync(func, *args, **kwargs)

        return guarded

    async def run(self, func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call a function, or a coroutine function, inside."""
        async with self:
            answer = func(*args, **kwargs)
            return self._judged(await answer if isawaitable(answer) else answer)

    def run_sync(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a plain function inside."""
        with self:
            return self._judged(returned(func(*args, **kwargs)))

    def fail(self) -> None:
        """Let the block count as a failure, though it raises nothing."""
        self._failed = True

    def _judged(self, answer: R) -> R:
        """The answer, after ``is_failure`` was asked."""
        is_failure = self._admitter.is_failure
        if is_failure is not None and is_failure(answer):
            self.fail()
        return answer

    async def __aenter__(self) -> Guard:
        """Wait for nothing: come in, or raise."""
        return await self._enter(self._admitter)

    async def _enter(self, admitter: Admitter) -> Guard:
        if self._entered:
            raise RuntimeError("one guard is for one block at a time: make one for each")
        self._entered = True
        try:
            self._admission = await admitter.admit(self._key)
        except BaseException:
            self._entered = False
            raise
        self._failed = False
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Tell the circuit what came of it."""
        await self._leave(self._admitter, kind)

    async def _leave(self, admitter: Admitter, kind: type[BaseException] | None) -> None:
        admission, self._admission = self._admission, None
        assert admission is not None
        self._entered = False
        result = self._admitter.result(kind)
        if self._failed and result is Result.SUCCESS:
            result = Result.FAILURE
        await admitter.settle(admission, result)

    def __enter__(self) -> Guard:
        """As ``async with``; circuits in Redis block the thread, in which no event loop may run."""
        return at_once(self._enter(self._admitter.blocking("`with guard(…)`")))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """As ``async with``."""
        at_once(self._leave(self._admitter.blocking(), kind))
