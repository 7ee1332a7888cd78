"""Waiting for several limits in Redis, and reservations, which may wait as well."""

from __future__ import annotations

import asyncio
from random import uniform
from typing import TYPE_CHECKING

from sluicegate._connection.blocking import must_not_wait
from sluicegate._connection.bridge import bridge_of, planned, running_loop
from sluicegate._connection.notices import Complaint
from sluicegate._connection.seconds import seconds_of
from sluicegate._connection.thread_queue import WaitThreads
from sluicegate._support.arguments import seconds_to_wait
from sluicegate._support.awaiting import at_once
from sluicegate._support.pending import to_be_awaited
from sluicegate.errors import StoreError
from sluicegate.gate.reservation import Reservation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from sluicegate._core import GateDecision, RedisGate, RedisGateCall

    Keys = str | Mapping[str, str | None]
    Cost = int | Mapping[str, int]

__all__ = ["GateWaits"]

# Nobody knows when a permit is free: it is asked for again after so many seconds, which double.
_SHORTEST, _LONGEST = 0.005, 0.1
_complaint = Complaint()


class GateWaits:
    """The verbs that wait. Those who wait compete: whoever asks first when there is room is admitted."""

    __slots__ = ()

    if TYPE_CHECKING:
        _core: RedisGate

    @to_be_awaited
    async def wait(self, keys: Keys, cost: Cost = 1, timeout: float | None = None) -> GateDecision:
        """Wait until all limits admit; refuse as soon as that would take over ``timeout`` seconds.

        Who waits asks again when the longest wait that the server told is over, and competes with all
        others. ``timeout`` is in seconds, ≥ 0, or ``None`` to wait as long as it takes.
        """
        seconds = seconds_of(timeout)
        return await acquired(self._core.call(keys, cost, "wait"), seconds)

    def wait_sync(self, keys: Keys, cost: Cost = 1, timeout: float | None = None) -> GateDecision:
        """:meth:`wait` that blocks its thread. Raises ``RuntimeError`` where an event loop runs."""
        seconds = seconds_of(timeout)
        call = self._core.call(keys, cost, "wait_sync")
        must_not_wait("wait_sync", "`await wait(…)`")
        return acquired_sync(call, seconds)

    def _reserved(self, keys: Keys, cost: Cost, timeout: float | None) -> Reservation:
        seconds_to_wait(timeout)
        return Reservation(_InRedis(self._core.call(keys, cost)), timeout)


class _InRedis:
    """One call of a gate in Redis, for its reservation."""

    __slots__ = ("_call",)

    def __init__(self, call: RedisGateCall) -> None:
        self._call = call

    def acquire_sync(self, timeout: float | None) -> GateDecision:
        if timeout != 0:
            must_not_wait("with gate.reserve(…, timeout=…)", "`async with`")
        return acquired_sync(self._call, seconds_of(timeout))

    async def acquire(self, timeout: float | None) -> GateDecision:
        return await acquired(self._call, seconds_of(timeout))

    def examine(self, actual: dict[str, int]) -> None:
        self._call.examine(actual)

    def end_sync(self, decision: GateDecision, actual: dict[str, int] | None) -> None:
        try:
            self._call.ask_end(decision, actual)
        except StoreError as error:
            _complaint.make(_NOT_ENDED, error)

    async def end(self, decision: GateDecision, actual: dict[str, int] | None) -> None:
        loop = running_loop()
        bridge = bridge_of(loop)
        futures = self._call.begin_end(bridge, loop.create_future, decision, actual)
        loop.call_soon(bridge.flush)
        for told in await asyncio.gather(*futures, return_exceptions=True):
            if isinstance(told, StoreError):
                _complaint.make(_NOT_ENDED, told)

    def abandon(self, decision: GateDecision) -> None:
        self._call.abandon(decision)


_NOT_ENDED = "What reservations did not use is not given back to Redis"


async def acquired(call: RedisGateCall, seconds: float) -> GateDecision:
    """The decision that admits a call, or that tells of a wait beyond so many seconds."""
    loop = running_loop()
    bridge = bridge_of(loop)

    async def check() -> GateDecision:
        future: asyncio.Future[GateDecision] = loop.create_future()
        try:
            decision = await planned(loop, bridge, future, call.begin(bridge, future))
        except BaseException:
            call.give_up()
            raise
        call.renew()
        return decision

    return await _asked_again(call, check, seconds, loop.time, asyncio.sleep)


def acquired_sync(call: RedisGateCall, seconds: float) -> GateDecision:
    """The same for a thread, which sleeps meanwhile."""

    async def check() -> GateDecision:
        return call.ask()

    return at_once(_asked_again(call, check, seconds, WaitThreads.now, WaitThreads.pause))


async def _asked_again(
    call: RedisGateCall,
    check: Callable[[], Awaitable[GateDecision]],
    seconds: float,
    now: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> GateDecision:
    deadline, pause = now() + seconds, _SHORTEST
    while True:
        decision = await check()
        if decision.allowed:
            return decision
        wait, left = decision.retry_after, deadline - now()
        if call.has_permits:
            # A permit may be free before a lease ends, when it is given back.
            told = decision.limits
            waits = [
                told[name].retry_after for name in decision.refused_by if not call.are_permits(name)
            ]
            wait = max([pause * uniform(0.75, 1.25), *waits])
            if max(waits, default=0) > left or left <= 0:
                return decision
            wait, pause = min(wait, left), min(2 * pause, _LONGEST)
        elif wait > left:
            return decision
        await sleep(wait)
