"""Letting calls through, and telling the circuits what came of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
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
    from sluicegate.types import AnyLimiter

__all__ = ["Admitter"]

_log = logging.getLogger(__name__)


class Admitter:
    """Asks a breaker's circuits, and its rate limit, about each call."""

    circuits: Circuits | RedisCircuits
    limiter: AnyLimiter | None = None

    def __init__(
        self,
        failures: tuple[type[BaseException], ...],
        ignored: tuple[type[BaseException], ...],
        is_failure: Callable[[object], object] | None,
        on_change: Callable[[StateChange], object] | None,
    ) -> None:
        self.failures, self.ignored = failures, ignored
        self.is_failure, self.on_change = is_failure, on_change

    def check_in_memory(self) -> None:
        if not isinstance(self.circuits, Circuits):
            raise TypeError("circuits in Redis need await: use execute, state or async with")

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
        decision = await maybe_await(self.limiter.check(f"rate:{key}"))
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
