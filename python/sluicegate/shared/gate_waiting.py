"""Waiting for several limits in a zone, and reservations, which may wait as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluicegate._connection.blocking import must_not_wait
from sluicegate._connection.seconds import seconds_of
from sluicegate._support.arguments import seconds_to_wait
from sluicegate._support.pending import to_be_awaited
from sluicegate._zone.renewing import renewed
from sluicegate.gate.asking import Asking, in_loop, in_thread
from sluicegate.gate.reservation import Reservation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluicegate._connection.places import Places
    from sluicegate._core import (
        GateDecision,
        GateQuotas,
        ManualClock,
        ZoneGateCall,
        ZoneGatePermits,
    )
    from sluicegate.gate.reservation import Used

    Keys = str | Mapping[str, str | None]
    Cost = int | Mapping[str, int]
    CostBy = Cost | tuple[int, ...]

__all__ = ["GateWaits"]

# A clock that is moved by hand wakes nobody here: it is looked at after so many seconds.
_BY_HAND = 0.005


class GateWaits:
    """The verbs that wait, in order of arrival; see :class:`~sluicegate._connection.places.Places`."""

    __slots__ = ()

    if TYPE_CHECKING:
        _clock: ManualClock | None
        _held: ZoneGatePermits
        _places: Places[GateDecision]
        _renews_after: float

        def _call(
            self,
            keys: Keys,
            cost: CostBy,
            verb: str | None = None,
            quotas: GateQuotas | None = None,
        ) -> ZoneGateCall: ...

    @to_be_awaited
    async def wait(self, keys: Keys, cost: Cost = 1, timeout: float | None = None) -> GateDecision:
        """Wait until all limits admit; refuse as soon as that would take over ``timeout`` seconds.

        Those who wait at this gate in this process, on any event loop and in any thread, go in order of
        arrival, each only at the limits and keys that refuse it now. Other processes and plain checks compete with them: nobody is woken
        across processes, so who waits sleeps until there may be room, and looks again. ``timeout`` is in
        seconds, ≥ 0, or ``None`` to wait as long as it takes. A caller that is cancelled or gives up
        spends nothing.

        Raises what ``check`` raises; and ``ValueError`` when ``set_limits`` makes the call one that could never be
        admitted.
        """
        seconds = seconds_of(timeout)
        return await in_loop(_Asking(self, keys, cost, "wait"), seconds)

    def wait_sync(self, keys: Keys, cost: Cost = 1, timeout: float | None = None) -> GateDecision:
        """:meth:`wait`, which blocks this thread. Other threads run meanwhile, and Ctrl-C ends it.

        Raises what ``wait`` raises, and ``RuntimeError`` where an event loop runs: that would stand still.
        """
        seconds = seconds_of(timeout)
        asking = _Asking(self, keys, cost, "wait_sync")
        must_not_wait("wait_sync", "`await wait(…)`")
        return in_thread(asking, seconds)

    def reserve(self, keys: Keys, cost: Cost = 1, *, timeout: float | None = 0) -> Reservation:
        """Spend now and put it right later: ``async with gate.reserve(...) as reservation:``.

        In threads ``with``. ``keys`` and ``cost`` are those of ``check``; entering waits ``timeout``
        seconds at most, or as long as it takes for ``None``. Permits are renewed while they are held,
        and free a lease, or up to a quarter more, after their process died. See
        :class:`~sluicegate.Reservation`.

        Raises what ``check`` raises, but for permits, which are held until the block is left.
        """
        seconds_to_wait(timeout)
        return Reservation(_InZone(_Asking(self, keys, cost)), timeout)

    def _reserve_by(
        self, quotas: GateQuotas, keys: Keys, cost: CostBy = 1, *, timeout: float | None = 0
    ) -> Reservation:
        """:meth:`reserve` of the limits that are chosen, as ``_check_by``."""
        seconds_to_wait(timeout)
        return Reservation(_InZone(_Asking(self, keys, cost, None, quotas)), timeout)


class _Asking(Asking):
    """A call as it waits: by the limits that are in force when it asks."""

    call: ZoneGateCall

    def __init__(
        self,
        gate: GateWaits,
        keys: Keys,
        cost: CostBy,
        verb: str | None = None,
        quotas: GateQuotas | None = None,
    ) -> None:
        self.gate: GateWaits = gate
        # The caller's own mappings may change while it waits.
        mine = keys if isinstance(keys, str) else dict(keys)
        units = cost if isinstance(cost, int | tuple) else dict(cost)
        self._arguments: Any = mine, units, verb, quotas
        self.call = gate._call(*self._arguments)  # noqa: SLF001

    def _renew(self) -> ZoneGateCall:
        if not self.call.is_current:
            self.call = self.gate._call(*self._arguments)  # noqa: SLF001
        return self.call

    async def check(self) -> GateDecision:
        return self.check_now()

    async def peek(self) -> GateDecision:
        return self._renew().peek()

    def check_now(self) -> GateDecision:
        gate, call = self.gate, self._renew()
        decision = call.check()
        if call.has_permits and decision.allowed and gate._clock is None:  # noqa: SLF001
            renewed(gate._held, gate._renews_after)  # noqa: SLF001
        return decision

    def free_after(self, decision: GateDecision, name: str) -> float:
        after = super().free_after(decision, name)
        return after if self.gate._clock is None else min(after, _BY_HAND)  # noqa: SLF001


class _InZone:
    """One call of a gate in a zone, for its reservation."""

    __slots__ = ("_asking",)

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking

    def acquire_sync(self, timeout: float | None) -> GateDecision:
        if timeout != 0:
            must_not_wait("with gate.reserve(…, timeout=…)", "`async with`")
        return in_thread(self._asking, seconds_of(timeout))

    async def acquire(self, timeout: float | None) -> GateDecision:
        return await in_loop(self._asking, seconds_of(timeout))

    def examine(self, actual: Used) -> None:
        self._asking.call.examine(actual)

    def end_sync(self, decision: GateDecision, actual: Used | None) -> None:
        if actual:
            self._asking.call.settle(decision, actual)
        self._asking.call.end(decision, actual is None)
        self._asking.gate._places.look_again()  # noqa: SLF001

    async def end(self, decision: GateDecision, actual: Used | None) -> None:
        self.end_sync(decision, actual)

    def give_up(self) -> None:
        self._asking.call.give_up()

    def abandon(self, decision: GateDecision) -> None:
        self._asking.call.end(decision, False)
