"""Letting calls through, and telling the circuits what came of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from copy import copy
from typing import TYPE_CHECKING
from uuid import uuid4

from sluicegate._support import limits_off
from sluicegate._support.awaiting import maybe_await
from sluicegate.breaker.calls import UNCOUNTED, Admission, Refused, Result
from sluicegate.breaker.config import CircuitState, StateChange
from sluicegate.breaker.memory import Circuits
from sluicegate.errors import CircuitOpenError, RateLimitError

if TYPE_CHECKING:
    from sluicegate.breaker.redis import RedisCircuits
    from sluicegate.limiters import Limiter
    from sluicegate.redis import AsyncLimiter

__all__ = ["Admitter"]

_log = logging.getLogger(__name__)


class Admitter:
    """Asks a breaker's circuits, and its rate limit, about each call."""

    circuits: Circuits | RedisCircuits
    limiter: Limiter | AsyncLimiter | None = None
    #: Whether nothing is awaited: the circuits and the limiter block.
    blocks = False
    _blocking: Admitter | None = None

    def __init__(
        self,
        failures: tuple[type[BaseException], ...],
        ignored: tuple[type[BaseException], ...],
        is_failure: Callable[[object], object] | None,
        on_change: Callable[[StateChange], object] | None,
    ) -> None:
        self.failures, self.ignored = failures, ignored
        self.is_failure, self.on_change = is_failure, on_change

    def blocking(self, what: str | None = None) -> Admitter:
        """The same, whose coroutines never wait but block their thread.

        Raises ``RuntimeError`` if an event loop runs here, which ``what`` would block.
        """
        if isinstance(self.circuits, Circuits):
            return self
        from sluicegate._connection.blocking import must_not_wait

        if what is not None:
            must_not_wait(what, "`async with` or `await execute(…)`")
        if self._blocking is None:
            twin = copy(self)
            twin.circuits, twin.blocks = self.circuits.blocking(), True
            self._blocking = twin
        return self._blocking

    async def admit(self, key: str) -> Admission:
        if limits_off.are_off():
            return UNCOUNTED
        answer: Admission | Refused = await maybe_await(self.circuits.enter(key, uuid4().hex))
        if isinstance(answer, Refused):
            what = "open" if answer.state is CircuitState.OPEN else "half open, and being probed"
            raise CircuitOpenError(f"Circuit is {what}", answer.seconds)
        if answer.changed:
            self.tell(key, CircuitState.OPEN, CircuitState.HALF_OPEN)
        try:
            await self._pay(key)
        except BaseException:
            await self.settle(answer, Result.NOTHING)  # the probe's place is free again
            raise
        return answer

    async def _pay(self, key: str) -> None:
        if self.limiter is None:
            return
        check = self.limiter.check_sync if self.blocks else self.limiter.check
        decision = await maybe_await(check(f"rate:{key}"))
        if not decision:
            message = f"Rate limit exceeded, retry after {decision.retry_after:g}s"
            raise RateLimitError(message, decision.retry_after)

    async def settle(self, admission: Admission, result: Result) -> None:
        if admission is UNCOUNTED:
            return
        state = await maybe_await(self.circuits.leave(admission, result))
        if state is not None:
            self.tell(admission.key, admission.state, state)

    def result(self, error: type[BaseException] | None) -> Result:
        if error is None:
            return Result.SUCCESS
        if not issubclass(error, Exception) or issubclass(error, self.ignored):
            return Result.NOTHING
        return Result.FAILURE if issubclass(error, self.failures) else Result.SUCCESS

    def tell(self, key: str, old: CircuitState, new: CircuitState) -> None:
        if self.on_change is None:
            return
        try:
            self.on_change(StateChange(key, old, new))
        except Exception:
            _log.exception("on_change failed")
