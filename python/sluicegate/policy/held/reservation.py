"""What a request holds of a gate that has permits: until the app has returned."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluicegate._core import GateDecision

__all__ = ["Held", "HeldByThread"]


class Held:
    """One reservation of a gate.

    Raises what the gate's ``reserve`` raises.
    """

    __slots__ = ("_call", "_decision")

    def __init__(self, reservation: Any) -> None:
        # Its call, whose block is the whole of the request.
        self._call = reservation._call  # noqa: SLF001
        self._decision: GateDecision | None = None

    async def acquire(self) -> GateDecision:
        """Decide; what is admitted is held from now on."""
        decision: GateDecision = await self._call.acquire(0)
        if decision.allowed:
            self._decision = decision
        return decision

    @property
    def is_held(self) -> bool:
        """Whether there is anything to be given back."""
        return self._decision is not None

    def release(self) -> Coroutine[Any, Any, None] | None:
        """Give the permits back, if any are held: to be awaited."""
        return self._end({})

    def give_back(self) -> Coroutine[Any, Any, None] | None:
        """Give all back that was spent, and the permits: to be awaited."""
        return self._end(None)

    def _end(self, used: dict[str, int] | None) -> Coroutine[Any, Any, None] | None:
        decision, self._decision = self._decision, None
        return None if decision is None else self._ended(decision, used)

    def _ended(
        self, decision: GateDecision, used: dict[str, int] | None
    ) -> Coroutine[Any, Any, None] | None:
        ended: Coroutine[Any, Any, None] = self._call.end(decision, used)
        return ended


class HeldByThread(Held):
    """The same, where nobody awaits anything: its verbs block their thread."""

    __slots__ = ()

    def acquire(self) -> Any:
        """Decide; what is admitted is held from now on."""
        decision: GateDecision = self._call.acquire_sync(0)
        if decision.allowed:
            self._decision = decision
        return decision

    def _ended(self, decision: GateDecision, used: dict[str, int] | None) -> None:
        self._call.end_sync(decision, used)
