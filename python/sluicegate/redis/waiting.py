"""Waiting for one limit in Redis: a call as it stands in line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from math import inf

from sluicegate._connection.refused import refused
from sluicegate._core import Decision

__all__ = ["OneCall"]

# Its only limit has no name.
_ONLY = ""


class OneCall:
    """One key's call, and how it asks: both give the decision when awaited."""

    __slots__ = ("_check", "_key", "_peek")
    asks_in_turn = True

    def __init__(
        self,
        key: str,
        check: Callable[[], Awaitable[Decision]],
        peek: Callable[[], Awaitable[Decision]],
    ) -> None:
        self._key, self._check, self._peek = key, check, peek

    def check(self) -> Awaitable[Decision]:
        return self._check()

    def peek(self) -> Awaitable[Decision]:
        return self._peek()

    def places(self) -> dict[str, str]:
        return {_ONLY: self._key}

    def refused_by(self, decision: Decision) -> tuple[str, ...]:
        return () if decision.allowed else (_ONLY,)

    def wait(self, decision: Decision, left: float) -> float:
        return decision.retry_after if decision.retry_after <= left else inf

    def free_after(self, decision: Decision, _: str) -> float:
        return decision.retry_after

    def may_be_sooner(self, _: str) -> bool:
        return False

    def behind(self, decision: Decision, waits: Mapping[str, float]) -> Decision:
        return refused(decision, waits.get(_ONLY, 0.0))
