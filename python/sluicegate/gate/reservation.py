"""A reservation: spent now, put right when it is known what was used; permits are held meanwhile."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from sluicegate.errors import RateLimitError

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from typing_extensions import Self

    from sluicegate._core import GateDecision

    #: What was used: by unit, or at each limit that was chosen.
    Used = dict[str, int] | tuple[int | None, ...]

__all__ = ["Reservation", "Reserving"]


class Reserving(Protocol):
    """One call of a gate, wherever its limits are kept."""

    def acquire_sync(self, timeout: float | None, /) -> GateDecision:
        """Decide, and wait if need be; permits are kept."""
        ...

    def acquire(self, timeout: float | None, /) -> Coroutine[Any, Any, GateDecision]: ...

    def examine(self, actual: Used, /) -> None:
        """Raise what settling by these units would."""
        ...

    def end_sync(self, decision: GateDecision, actual: Used | None, /) -> None:
        """Put right what was spent, ``None``: give all back; and give the permits back."""
        ...

    def end(self, decision: GateDecision, actual: Used | None, /) -> Coroutine[Any, Any, None]: ...

    def give_up(self) -> None:
        """Give the permits back that it may hold without knowing."""
        ...

    def abandon(self, decision: GateDecision, /) -> None:
        """Give the permits back, of one whose block nobody will leave: from any thread."""
        ...


_NEW, _ENTERING, _HELD, _ENDED = range(4)


class Reservation:
    """What ``reserve`` gives: a block, ``async with`` or ``with``, for which quota is spent beforehand.

    Entering it spends, and raises :class:`~sluicegate.RateLimitError` when it is refused. In the block
    ``settle`` says what was really used, or ``cancel`` that nothing was; both are sent when the block is
    left. With neither, the estimate stays spent, as it does when the process dies. Permits among the
    limits are held until the block is left, however that is.

    Each is entered once. In a forked child, and when its event loop is gone, it does nothing.
    """

    __slots__ = (
        "__weakref__",
        "_call",
        "_decision",
        "_held",
        "_pid",
        "_state",
        "_timeout",
        "_used",
    )

    def __init__(self, call: Reserving, timeout: float | None) -> None:
        self._call = call
        self._timeout = timeout
        self._decision: GateDecision | None = None
        #: The same, until all is put right.
        self._held: GateDecision | None = None
        self._used: dict[str, int] | None = {}
        self._state = _NEW
        self._pid = os.getpid()

    @property
    def decision(self) -> GateDecision:
        """The decision by which it was admitted. Raises ``RuntimeError`` before that."""
        if self._decision is None:
            raise RuntimeError("a reservation has no decision before its block is entered")
        return self._decision

    def settle(self, **actual: int) -> None:
        """Say what was used, by unit: ``settle(tokens=312)``. Once, in the block.

        When the block is left, what was reserved beyond that comes back, as far as it still counts.
        What was used beyond the reservation is spent as well, whatever is left: as a debt of at most
        one whole quota, which later calls wait for. Units that are not named keep their estimate;
        of one that was reserved and no limit counted, as by a plan without one, nothing is put right.

        Raises ``ValueError`` for a unit that was not reserved or an amount below 0, ``TypeError`` for
        what is no ``int``, ``RuntimeError`` for a second time or outside of the block.
        """
        self._check("settle")
        self._call.examine(actual)
        if not actual:
            raise TypeError("settle needs what was used, by unit, as settle(tokens=312)")
        self._used = actual
        self._state = _ENDED

    def cancel(self) -> None:
        """Say that nothing was used: when the block is left, all that still counts comes back.

        Raises ``RuntimeError`` after ``settle`` or ``cancel``, or outside of the block.
        """
        self._check("cancel")
        self._used = None
        self._state = _ENDED

    def _check(self, verb: str) -> None:
        if self._held is None:
            raise RuntimeError(f"{verb} belongs into the block of a reservation: it is not in it")
        if self._state != _HELD:
            raise RuntimeError(f"{verb} must come once, and this reservation was settled already")

    def __enter__(self) -> Self:
        self._begin()
        try:
            decision = self._call.acquire_sync(self._timeout)
            self._hold(decision)
        except BaseException:
            self._give_up()
            raise
        return self._admitted(decision)

    def __exit__(self, *_: object) -> None:
        decision = self._leave()
        if decision is not None:
            self._call.end_sync(decision, self._used)
        # Only now: should a signal's handler raise before, it is given back when this is dropped.
        self._held = None

    async def __aenter__(self) -> Self:
        self._begin()
        try:
            decision = await self._call.acquire(self._timeout)
            self._hold(decision)
        except BaseException:
            self._give_up()
            raise
        return self._admitted(decision)

    async def __aexit__(self, *_: object) -> None:
        decision = self._leave()
        if decision is not None:
            await self._call.end(decision, self._used)
        self._held = None

    def __del__(self) -> None:
        # A block that nobody leaves, as in a generator that was dropped, must not hold permits.
        decision = getattr(self, "_held", None)
        if decision is not None and self._pid == os.getpid():
            self._call.abandon(decision)

    def _begin(self) -> None:
        if self._state != _NEW:
            raise RuntimeError("it was entered before: call reserve() for each block")
        self._state = _ENTERING

    def _give_up(self) -> None:
        """It did not come to a decision, or a signal's handler raised just then."""
        if self._held is None:
            self._state = _NEW
            self._call.give_up()

    def _hold(self, decision: GateDecision) -> None:
        if decision.allowed:
            self._decision, self._held, self._state = decision, decision, _HELD

    def _admitted(self, decision: GateDecision) -> Self:
        if not decision.allowed:
            self._state = _NEW
            names = ", ".join(decision.refused_by)
            why = f"Refused by {names}" if names else "Refused"
            raise RateLimitError(why, decision.retry_after)
        return self

    def _leave(self) -> GateDecision | None:
        """The decision that is to be put right, if this process holds it."""
        self._state = _ENDED
        return self._held if self._pid == os.getpid() else None
