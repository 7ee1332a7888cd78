"""A gate's calls of some of its limits, which their caller chooses."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sluicegate._connection.blocking import may_block
from sluicegate._connection.bridge import bridge_of, planned, running_loop
from sluicegate._support.pending import to_be_awaited
from sluicegate.redis.gates.waiting import GateWaits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluicegate._core import GateDecision, GateQuotas, Quota
    from sluicegate.gate.reservation import Reservation

    Keys = str | Mapping[str, str | None]
    Cost = int | Mapping[str, int] | tuple[int, ...]
    Used = tuple[int | None, ...]

__all__ = ["GateChooses"]


class GateChooses(GateWaits):
    """As those of a gate in memory; a call takes no longer for the limits that are not chosen."""

    __slots__ = ()

    def _quotas(self, quotas: list[Quota | None]) -> GateQuotas:
        """One for each limit in their order; ``None`` leaves it out."""
        return self._core.quotas(quotas)

    @to_be_awaited
    async def _check_by(self, quotas: GateQuotas, keys: Keys, cost: Cost = 1) -> GateDecision:
        """``check`` of the limits that are chosen, by these quotas."""
        return await self._begun("check", keys, cost, quotas)

    def _check_by_sync(self, quotas: GateQuotas, keys: Keys, cost: Cost = 1) -> GateDecision:
        may_block("check_sync")
        return self._core.ask("check", keys, cost, quotas)

    @to_be_awaited
    async def _peek_by(self, quotas: GateQuotas, keys: Keys, cost: Cost = 1) -> GateDecision:
        """``peek`` of the limits that are chosen, by these quotas."""
        return await self._begun("peek", keys, cost, quotas)

    def _peek_by_sync(self, quotas: GateQuotas, keys: Keys, cost: Cost = 1) -> GateDecision:
        may_block("peek_sync")
        return self._core.ask("peek", keys, cost, quotas)

    @to_be_awaited
    async def _settle_by(
        self, quotas: GateQuotas, keys: Keys, cost: Cost, decision: GateDecision, used: Used
    ) -> None:
        """Put right what ``decision`` spent at the limits that were chosen, by what was used of each.

        One request for each that less was used of, and one for all the others, sent together. Raises as
        that of a gate in memory, and with ``on_error="raise"`` :class:`~sluicegate.errors.StoreError`;
        then it is put right no more.
        """
        loop = running_loop()
        bridge, core = bridge_of(loop), self._core
        futures = core.begin_settle(bridge, loop.create_future, quotas, keys, cost, decision, used)
        loop.call_soon(bridge.flush)
        await asyncio.gather(*futures)
        self._places.look_again()

    def _settle_by_sync(
        self, quotas: GateQuotas, keys: Keys, cost: Cost, decision: GateDecision, used: Used
    ) -> None:
        may_block("refund_sync")
        self._core.ask_settle(quotas, keys, cost, decision, used)
        self._places.look_again()

    def _reserve_by(
        self, quotas: GateQuotas, keys: Keys, cost: Cost = 1, *, timeout: float | None = 0
    ) -> Reservation:
        """``reserve`` of the limits that are chosen, by these quotas."""
        return self._reserved(keys, cost, timeout, quotas)

    def _begun(
        self, verb: str, keys: Keys, cost: Cost, quotas: GateQuotas | None = None
    ) -> asyncio.Future[GateDecision]:
        loop = running_loop()
        bridge = bridge_of(loop)
        future: asyncio.Future[GateDecision] = loop.create_future()
        begun = self._core.begin(bridge, future, verb, keys, cost, quotas)
        return planned(loop, bridge, future, begun)
