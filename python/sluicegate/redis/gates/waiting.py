"""Waiting for several limits in Redis, and reservations, which may wait as well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from sluicegate._connection.blocking import must_not_wait
from sluicegate._connection.bridge import bridge_of, planned, running_loop, then
from sluicegate._connection.notices import Complaint
from sluicegate._connection.seconds import seconds_of
from sluicegate._support.arguments import seconds_to_wait
from sluicegate._support.pending import to_be_awaited
from sluicegate.errors import StoreError
from sluicegate.gate.asking import Asking, in_loop, in_thread
from sluicegate.gate.reservation import Reservation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluicegate._connection.places import Places
    from sluicegate._core import GateDecision, GateQuotas, RedisGate, RedisGateCall
    from sluicegate.gate.reservation import Used

    Keys = str | Mapping[str, str | None]
    Cost = int | Mapping[str, int]
    CostBy = Cost | tuple[int, ...]

__all__ = ["GateWaits"]

A = TypeVar("A", bound="_Asking")
_complaint = Complaint()


class GateWaits:
    """The verbs that wait, in order of arrival; see :class:`~sluicegate._connection.places.Places`."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def _core(self) -> RedisGate: ...

        _places: Places[GateDecision]

    @to_be_awaited
    async def wait(self, keys: Keys, cost: Cost = 1, timeout: float | None = None) -> GateDecision:
        """Wait until all limits admit; refuse as soon as that would take over ``timeout`` seconds.

        Those who wait at this gate in this process, on any event loop and in any thread, go in order of
        arrival, each only at the limits and keys that refuse it now. Another process, another gate and
        plain checks compete with them: who waits looks again when the server said that there may be
        room. One whose event loop stands still for over a second is passed until it goes on. ``timeout`` is in
        seconds, ≥ 0, or ``None`` to wait as long as it takes. A caller that is cancelled spends nothing
        but what a check that was on its way has spent.

        Raises what ``check`` raises.
        """
        seconds = seconds_of(timeout)
        return await in_loop(InLoop(self, keys, cost, "wait"), seconds)

    def wait_sync(self, keys: Keys, cost: Cost = 1, timeout: float | None = None) -> GateDecision:
        """:meth:`wait` that blocks its thread, in one line with the coroutines of this process.

        Raises ``RuntimeError`` where an event loop runs: that would stand still.
        """
        seconds = seconds_of(timeout)
        call = InThread(self, keys, cost, "wait_sync")
        must_not_wait("wait_sync", "`await wait(…)`")
        return in_thread(call, seconds)

    def _reserved(
        self,
        keys: Keys,
        cost: CostBy,
        timeout: float | None,
        quotas: GateQuotas | None = None,
    ) -> Reservation:
        seconds_to_wait(timeout)
        return Reservation(_InRedis(InThread(self, keys, cost, None, quotas)), timeout)


class _InRedis:
    """One call of a gate in Redis, for its reservation."""

    __slots__ = ("_asking",)

    def __init__(self, asking: _Asking) -> None:
        self._asking = asking

    @property
    def _call(self) -> RedisGateCall:
        return self._asking.call

    def acquire_sync(self, timeout: float | None) -> GateDecision:
        if timeout != 0:
            must_not_wait("with gate.reserve(…, timeout=…)", "`async with`")
        asking = self._asking = self._asking.moved(InThread)
        return in_thread(asking, seconds_of(timeout))

    async def acquire(self, timeout: float | None) -> GateDecision:
        asking = self._asking = self._asking.moved(InLoop)
        return await in_loop(asking, seconds_of(timeout))

    def give_up(self) -> None:
        self._call.give_up()
        if self._call.has_permits:
            self._look_again()

    def examine(self, actual: Used) -> None:
        self._call.examine(actual)

    def end_sync(self, decision: GateDecision, actual: Used | None) -> None:
        try:
            self._call.ask_end(decision, actual)
        except StoreError as error:
            _complaint.make(_NOT_ENDED, error)
        self._look_again()

    async def end(self, decision: GateDecision, actual: Used | None) -> None:
        loop = running_loop()
        bridge = bridge_of(loop)
        futures = self._call.begin_end(bridge, loop.create_future, decision, actual)
        loop.call_soon(bridge.flush)
        answers = asyncio.gather(*futures, return_exceptions=True)
        for told in await then(answers, self._look_again):
            if isinstance(told, StoreError):
                _complaint.make(_NOT_ENDED, told)

    def abandon(self, decision: GateDecision) -> None:
        self._call.abandon(decision)
        self._look_again()

    def _look_again(self) -> None:
        """What came back is for those who wait."""
        asking = self._asking
        asking.gate._places.look_again(*asking.call.places().values())  # noqa: SLF001


_NOT_ENDED = "What reservations did not use is not given back to Redis"


class _Asking(Asking):
    """A call as it waits: by the limits that are in force when it asks."""

    call: RedisGateCall

    def __init__(
        self,
        gate: GateWaits,
        keys: Keys,
        cost: CostBy,
        verb: str | None,
        quotas: GateQuotas | None = None,
    ) -> None:
        self.gate = gate
        self._made_by = gate._core  # noqa: SLF001
        self.call = self._made_by.call(keys, cost, verb, quotas)
        # The caller's own mappings may change while it waits.
        mine = keys if isinstance(keys, str) else dict(keys)
        units = cost if isinstance(cost, int | tuple) else dict(cost)
        self._arguments = mine, units, verb, quotas

    def _renew(self) -> RedisGateCall:
        core = self.gate._core  # noqa: SLF001
        if core is not self._made_by:
            self.call, self._made_by = core.call(*self._arguments), core
        return self.call

    def moved(self, kind: type[A]) -> A:
        """The same in a loop or in a thread."""
        other = kind.__new__(kind)
        vars(other).update(vars(self))
        return other


class InLoop(_Asking):
    """One that waits in an event loop."""

    async def check(self) -> GateDecision:
        call, loop = self._renew(), running_loop()
        bridge = bridge_of(loop)
        future: asyncio.Future[GateDecision] = loop.create_future()
        try:
            decision = await planned(loop, bridge, future, call.begin(bridge, future))
        except BaseException:
            call.give_up()
            raise
        call.renew()
        return decision

    async def peek(self) -> GateDecision:
        call, loop = self._renew(), running_loop()
        bridge = bridge_of(loop)
        future: asyncio.Future[GateDecision] = loop.create_future()
        return await planned(loop, bridge, future, call.begin_look(bridge, future))


class InThread(_Asking):
    """One that blocks its thread."""

    async def check(self) -> GateDecision:
        return self._renew().ask()

    async def peek(self) -> GateDecision:
        return self._renew().look()
