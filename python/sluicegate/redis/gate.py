"""The gate in Redis: several limits, one script, one round trip a decision, shared by all processes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sluicegate._connection.bridge import bridge_of, planned, running_loop, then
from sluicegate._connection.on_error import OnError
from sluicegate._connection.places import Places
from sluicegate._connection.rights import ping
from sluicegate._connection.scripts import Scripts
from sluicegate._connection.settings import settings_of
from sluicegate._connection.statistics import RedisStatistics
from sluicegate._core import GateDecision, RedisGate, RedisLimiter
from sluicegate._support.fork import new_lock
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.pickling import MadeAnew
from sluicegate.gate.limit import checked_name
from sluicegate.gate.parts import Part, parts_of
from sluicegate.gate.statistics import GateStatistics
from sluicegate.redis.clearing import Clearing
from sluicegate.redis.gates.blocking import BlockingGate
from sluicegate.redis.gates.choosing import GateChooses
from sluicegate.redis.gates.limits import (
    checked_tag,
    commands_for,
    limits_of,
    made_of,
)
from sluicegate.redis.gates.waiting import GateWaits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluicegate._support.pickling import Plan
    from sluicegate.gate.parts import Limits
    from sluicegate.gate.reservation import Reservation

    Keys = str | Mapping[str, str | None]
    Cost = int | Mapping[str, int]

__all__ = ["Gate"]


class Gate(GateChooses, GateWaits, Clearing, BlockingGate, MadeAnew):
    """Several limits and one decision, in Redis: all admit and spend, or nothing is spent anywhere.

    ``Gate("redis://…", [Limit("5/second; 10000/day", by="user"), Limit("1000000/day", by="org")])``:
    as :class:`sluicegate.Gate`, but the verbs are coroutines, and those that end in ``_sync`` block. All
    processes share it that use the same server, prefix and name. One script decides, in one round trip.

    What is spent belongs to the prefix, the gate's name, the limit's name, its algorithm and its
    window, never to the amount. A single limiter with ``name="chat:user/second"`` shares the state of the
    limit ``user/second`` of the gate ``chat``; in a Cluster only where there is a ``tag_by``.

    Args:
        redis: where the state is; see :mod:`sluicegate.redis`.
        limits: as :class:`sluicegate.Gate`.
        name: by which processes share it, and what it is called in metrics.
        prefix: what keys begin with, up to 64 bytes; ``sluicegate`` by default.
        tag_by: in a Cluster, the keys of a call have to be on one node. By default all of the gate's
            are; if every limit counts by the same, as ``"org"``, its name spreads them by that key.
        timeout, on_error, workers, remember: as :class:`~sluicegate.redis.FixedWindow`, for the gate as a
            whole. A refusal that is remembered tells of those limits alone that refused.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __module__ = "sluicegate.redis"  # where it is imported from
    __slots__ = (
        "__weakref__",
        "_changing",
        "_in_force",
        "_made_of",
        "_places",
        "_scripts",
        "name",
    )
    _NEEDS_ASYNCIO = True

    def __init__(
        self,
        redis: object,
        limits: Limits,
        *,
        name: str = "gate",
        prefix: str | None = None,
        tag_by: str | None = None,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None:
        if not isinstance(remember, bool):
            raise TypeError(f"remember must be True or False, got {remember!r}")
        self.name = checked_name("name", name)
        settings = settings_of(redis)
        parts = parts_of(limits)
        options: dict[str, Any] = {"timeout": timeout, "on_error": on_error, "workers": workers}
        options |= {"remember": remember, "prefix": prefix, "tag_by": checked_tag(tag_by, parts)}
        self._made_of = settings, options
        self._in_force = made_of(parts, settings, self.name, options)
        self._changing = new_lock()
        self._scripts = Scripts(settings, f"{prefix or 'sluicegate'}:gate", timeout)
        self._places: Places[GateDecision] = Places(timeout)

    def _plan(self) -> Plan:
        settings, options = self._made_of
        return Gate, (settings, limits_of(self.parts)), {"name": self.name, **options}

    @property
    def _core(self) -> RedisGate:
        return self._in_force.core

    @property
    def _limiters(self) -> dict[str, RedisLimiter]:
        return self._in_force.limiters

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its limits, one for each quota, in their order: each has a ``name``, a ``quota`` and the ``limit``."""
        return tuple(self._in_force.parts.values())

    @to_be_awaited
    async def check(self, keys: Keys, cost: Cost = 1) -> GateDecision:
        """Decide now for all limits, and spend from all of them if none refuses.

        ``keys`` and ``cost`` as :meth:`sluicegate.Gate.check` takes them. Answers within ``timeout``,
        whatever the server does. A call that is cancelled may have been spent.

        Raises what that one raises, and with ``on_error="raise"`` :class:`~sluicegate.errors.StoreError`.
        """
        return await self._begun("check", keys, cost)

    @to_be_awaited
    async def peek(self, keys: Keys, cost: Cost = 1) -> GateDecision:
        """Whether :meth:`check` or :meth:`reserve` would be admitted now. Spends nothing."""
        return await self._begun("peek", keys, cost)

    @to_be_awaited
    async def refund(self, keys: Keys, decision: GateDecision) -> None:
        """Give back what ``decision`` spent of these keys: of each limit what still counts, once.

        One request for each limit, sent together. Raises as :meth:`sluicegate.Gate.refund`, and with
        ``on_error="raise"`` :class:`~sluicegate.errors.StoreError`; then its receipt is used up.
        """
        loop = running_loop()
        bridge = bridge_of(loop)
        futures = self._core.begin_refund(bridge, loop.create_future, keys, decision)
        loop.call_soon(bridge.flush)
        await then(asyncio.gather(*futures), self._places.look_again)

    @to_be_awaited
    async def reset(self, keys: Keys) -> None:
        """Forget these keys: the whole quota of every limit that counts by one of them is back."""
        loop = running_loop()
        bridge = bridge_of(loop)
        future: asyncio.Future[GateDecision] = loop.create_future()
        begun = self._core.begin_reset(bridge, future, keys)
        await then(planned(loop, bridge, future, begun), self._places.look_again)

    def reserve(self, keys: Keys, cost: Cost = 1, *, timeout: float | None = 0) -> Reservation:
        """Spend now and put it right later: ``async with gate.reserve(...) as reservation:``.

        In threads ``with``. Entering waits ``timeout`` seconds at most, or as long as it takes for
        ``None``. Permits are renewed while they are held, and free a lease after their process died.
        See :class:`~sluicegate.Reservation`.

        Raises what :meth:`check` raises, but for permits, which are held until the block is left.
        """
        return self._reserved(keys, cost, timeout)

    def set_limits(self, limits: Limits) -> None:
        """Put other limits in the place of these; takes what the class takes.

        One with the name, the algorithm and the window of one before keeps what was spent. Others find
        what is in Redis by their names. Nothing has changed when an argument is wrong.
        """
        with self._changing:
            before, (settings, options) = self._in_force, self._made_of
            parts = parts_of(limits, before.parts)
            checked_tag(options["tag_by"], parts)
            self._in_force = made_of(parts, settings, self.name, options, before)
        self._places.look_again()

    def statistics(self) -> GateStatistics:
        """What the gate and its limits have done in this process, as a :class:`GateStatistics`."""
        core, parts, limiters = self._in_force
        admitted, refused, *_ = core.statistics()
        counts = zip(limiters.values(), core.would_have_refused(), strict=True)
        told = [RedisStatistics(*each.statistics(), watched) for each, watched in counts]
        return GateStatistics(admitted, refused, dict(zip(parts, told, strict=True)))

    @to_be_awaited
    async def ping(self, timeout: float = 1.0) -> str:
        """Reach the server, within ``timeout`` seconds; returns its name and version.

        Raises :class:`~sluicegate.errors.StoreError` as :meth:`sluicegate.redis.FixedWindow.ping`.
        """
        running_loop()
        return await ping(self._scripts, self._commands(), timeout)

    def _commands(self) -> set[str]:
        return commands_for(self._limiters.values(), self.parts)

    def __repr__(self) -> str:
        limits = ", ".join(f"{part.name}: '{part.quota}'" for part in self.parts)
        return f"<Gate {self.name!r} in Redis {limits}>"
