"""The gate in memory: several limits, one decision, all or nothing."""

from __future__ import annotations

from sluicegate import _core
from sluicegate._core import GateDecision, ManualClock
from sluicegate._support.arguments import number
from sluicegate._support.fork import new_lock
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.pickling import stays
from sluicegate._support.single import Single
from sluicegate.gate.limit import checked_name
from sluicegate.gate.parts import Part, parts_of, plans_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Literal, NoReturn

    from typing_extensions import Self

    from sluicegate._core import GateQuotas
    from sluicegate.gate.parts import Limits
    from sluicegate.gate.reservation import Reservation
    from sluicegate.gate.statistics import GateStatistics

    Keys = str | Mapping[str, str | None]
    Cost = int | Mapping[str, int]

__all__ = ["Gate"]


class _Family:
    """A gate and all that come after it, whose limits count together."""

    __slots__ = ("__weakref__",)


class Gate(Single, _core.Gate):
    """Several limits and one decision: all admit and spend, or nothing is spent anywhere.

    ``Gate("5/second; 300/minute; 10000/day")`` for one key with several windows; for several keys and
    units ``Gate([Limit("5/second", by="user"), Limit("40000 tokens/minute", by="model")])``. From any
    number of threads and coroutines. A copy of it is itself, and it cannot be pickled: its counts
    are in this process.

    Args:
        limits: a quota's text, a :class:`~sluicegate.Quota`, a :class:`~sluicegate.Limit`, or some of
            them. At most 32 can take part in one decision.
        name: what it is called, as in metrics and in Redis.
        max_keys, overflow, clock: of each limit; as :class:`~sluicegate.FixedWindow`.

    Raises:
        ValueError, TypeError: an argument out of its range, limits of equal names, or the same
            ``Limit`` twice; the message names it.
    """

    __slots__ = ("_changing", "_family", "_parts", "name")
    _changing: Any
    _family: _Family
    _parts: dict[str, Part]
    name: str

    def __new__(
        cls,
        limits: Limits,
        *,
        name: str = "gate",
        max_keys: int = 1_000_000,
        overflow: Literal["share", "admit"] = "share",
        clock: ManualClock | None = None,
    ) -> Self:
        checked_name("name", name)
        parts = parts_of(limits)
        gate = super().__new__(cls, *plans_of(parts), max_keys, overflow, clock)
        gate._begin(name, parts)
        return gate

    def _begin(self, name: str, parts: Iterable[Part]) -> None:
        self.name = name
        self._parts = {part.name: part for part in parts}
        self._changing = new_lock()
        self._family = _Family()

    def _successor(self, limits: Limits) -> Self:
        """Another gate, of these limits. Those of the name, algorithm, window and unit of one here have its
        counts with it: by the quota of each gate, which both go on.
        """
        parts = parts_of(limits, self._parts)
        gate = _core.Gate.__new__(type(self), *plans_of(parts), before=self)
        gate._begin(self.name, parts)  # noqa: SLF001
        gate._family = self._family  # noqa: SLF001
        gate._tell_of(gate._afresh())  # noqa: SLF001
        return gate

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its limits, one for each quota, in their order: each has a ``name``, a ``quota`` and the ``limit``."""
        return tuple(self._parts.values())

    def set_limits(self, limits: Limits) -> None:
        """Put other limits in the place of these; takes what the class takes.

        One with the name, the algorithm, the window and the unit of one before keeps what was spent, and
        whoever waits for it. The others begin afresh, which the log says of those whose name was known.
        Nothing has changed when an argument is wrong.
        """
        with self._changing:
            parts = parts_of(limits, self._parts)
            afresh = self._set_parts(*plans_of(parts))
            self._parts = {part.name: part for part in parts}
        self._tell_of(afresh)

    def _tell_of(self, afresh: Iterable[str]) -> None:
        """Say in the log which limits begin afresh whose names were known."""
        for name in afresh:
            import logging

            logging.getLogger("sluicegate").warning(
                "The limit %r of the gate %r begins afresh: its window, unit or algorithm is "
                "another one now.",
                name,
                self.name,
            )

    def statistics(self) -> GateStatistics:
        """What the gate and its limits have done, as a :class:`GateStatistics`."""
        from sluicegate.gate.statistics import GateStatistics

        admitted, refused, limits = self._counts()
        return GateStatistics(admitted, refused, dict(limits))

    @to_be_awaited
    async def wait(self, keys: Keys, cost: Cost = 1, timeout: float | None = None) -> GateDecision:
        """Wait until admitted; refuse as soon as that would take over ``timeout`` seconds.

        A caller waits only at the limits and keys that refuse it now, in order of arrival: one who waits
        for the user's quota holds up nobody else of the organisation. There no plain ``check`` overtakes
        it. A caller that is cancelled or gives up spends nothing. ``timeout`` is in seconds, 0 to
        1,000,000,000, or ``None`` to wait as long as it takes.

        Raises what ``check`` raises; and ``ValueError`` when ``set_limits`` makes the call one that could never be
        admitted.
        """
        from sluicegate.gate.reserving import waited

        return await waited(self._call(keys, cost, "wait"), timeout)

    def wait_sync(self, keys: Keys, cost: Cost = 1, timeout: float | None = None) -> GateDecision:
        """:meth:`wait`, which blocks this thread. Other threads run meanwhile, and Ctrl-C ends it.

        Not for a coroutine: it would block its event loop. Raises what ``wait`` raises, and
        ``RuntimeError`` when nothing would ever wake it.
        """
        return _core.gate_wait_sync(self._call(keys, cost, "wait_sync"), timeout)

    def reserve(self, keys: Keys, cost: Cost = 1, *, timeout: float | None = 0) -> Reservation:
        """Spend now and put it right later: ``async with gate.reserve(...) as reservation:``.

        In threads ``with``. ``keys`` and ``cost`` are those of ``check``; entering waits ``timeout``
        seconds at most, or as long as it takes for ``None``. See :class:`~sluicegate.Reservation`.

        Raises what ``check`` raises, but for permits, which are held until the block is left.
        """
        from sluicegate.gate.reserving import reserved

        return reserved(self._call(keys, cost), timeout)

    def _reserve_by(
        self,
        quotas: GateQuotas,
        keys: Keys,
        cost: Cost | tuple[int, ...] = 1,
        *,
        timeout: float | None = 0,
    ) -> Reservation:
        """:meth:`reserve` of the limits that are chosen, as ``_check_by``."""
        from sluicegate.gate.reserving import reserved

        return reserved(self._call(keys, cost, None, quotas), timeout)

    # By the names that block in Redis, so that code can be written for either.
    _check_by_sync = _core.Gate._check_by  # noqa: SLF001
    _peek_by_sync = _core.Gate._peek_by  # noqa: SLF001
    _settle_by_sync = _core.Gate._settle_by  # noqa: SLF001
    check_sync = _core.Gate.check
    peek_sync = _core.Gate.peek
    refund_sync = _core.Gate.refund
    reset_sync = _core.Gate.reset
    clear_sync = _core.Gate.clear

    def ping_sync(self, timeout: float = 1.0) -> str:
        """``"memory"``: there is no server to reach."""
        number("timeout", timeout, 0, 60, "seconds")
        return "memory"

    def close(self) -> None:
        """Nothing to close in memory; the gate goes on."""

    def __reduce__(self) -> NoReturn:
        stays(self)

    def __repr__(self) -> str:
        limits = ", ".join(f"{part.name}: '{part.quota}'" for part in self.parts)
        return f"<Gate {self.name!r} {limits}>"
