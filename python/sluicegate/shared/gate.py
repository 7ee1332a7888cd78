"""The gate in a zone: several limits, one decision, all or nothing, for all processes of a host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluicegate import _core
from sluicegate._connection.places import Places
from sluicegate._core import ManualClock, Zone
from sluicegate._support.arguments import checked_clock, number
from sluicegate._support.fork import new_lock
from sluicegate._support.prefixes import PREFIX, check_prefix
from sluicegate._support.single import Single
from sluicegate._zone.store import zone_of
from sluicegate.gate.limit import checked_name
from sluicegate.gate.parts import Part, plans_of
from sluicegate.gate.statistics import GateStatistics
from sluicegate.shared.gate_limits import parts_in_zone, places_of
from sluicegate.shared.gate_waiting import GateWaits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from typing_extensions import Self

    from sluicegate._core import GateDecision, GateQuotas, ZoneGatePermits
    from sluicegate.gate.parts import Limits

    Keys = str | Mapping[str, str | None]

__all__ = ["Gate"]

_RENEWALS = 3  # of a lease, while it lasts
_ANSWERS_WITHIN = 0.01  # seconds: a zone answers at once, if the thread is not stopped


class Gate(Single, GateWaits, _core.ZoneGate):
    """Several limits and one decision, in a zone: all admit and spend, or nothing stays spent anywhere.

    ``Gate("shared:///run/app/limits.zone?size=10m", [Limit("5/second", by="user"), …])``: as
    :class:`sluicegate.Gate`, and all processes of the host share it that use the same zone, prefix and
    name. No call takes a lock or waits for another process. One that dies on its way has spent at most
    this one decision, which lapses with its windows.

    What is spent belongs to the prefix, the gate's name, the limit's name, its algorithm and its window,
    never to the amount. A key of a limit takes 32 bytes. Where no algorithm is named, a limit is
    counted by segments, in 7 parts of its window, or by a bucket if it has a burst. Limits above
    1,023 have to name one; there is no exact log in a zone, and no calendar. Segments are laid out for
    the quota that a limit declares, and for 1,023 at least: what ``quota_for`` or ``set_limits`` gives
    beyond that is a ``ValueError`` that says what to do.

    A copy of it is itself. Pickled, it is made anew where it is read, in the zone of the same path.

    Args:
        store: the zone: its URL, ``"shared:///run/app/limits.zone?size=10m"`` or ``"shared:name"``, or
            a :class:`Zone`.
        limits: as :class:`sluicegate.Gate`.
        name: by which processes share it, and what it is called in metrics.
        prefix: what the names of its limits begin with in the zone: one for each application.
        clock: a :class:`~sluicegate.testing.ManualClock` for tests, with which no lease is renewed.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
        StoreError: the file or the machine does not allow a zone there; the message says why.
    """

    __module__ = "sluicegate.shared"  # where it is imported from
    __slots__ = (
        "_changing",
        "_clock",
        "_held",
        "_made_of",
        "_parts",
        "_places",
        "_renews_after",
        "name",
    )
    _changing: Any
    _clock: ManualClock | None
    _held: ZoneGatePermits
    _made_of: tuple[object, str]
    _parts: dict[str, Part]
    _places: Places[GateDecision]
    _renews_after: float
    name: str

    def __new__(
        cls,
        store: str | Zone,
        limits: Limits,
        *,
        name: str = "gate",
        prefix: str = PREFIX,
        clock: ManualClock | None = None,
    ) -> Self:
        checked_name("name", name)
        check_prefix(prefix)
        checked_clock(clock)
        parts = parts_in_zone(limits)
        places = places_of(prefix, name, parts)
        gate = super().__new__(cls, zone_of(store), *plans_of(parts), places, clock)
        gate.name = name
        gate._made_of = store, prefix
        gate._clock, gate._held = clock, gate._permits()
        gate._keep(parts)
        gate._changing = new_lock()
        gate._places = Places(_ANSWERS_WITHIN)
        return gate

    def _keep(self, parts: Iterable[Part]) -> None:
        self._parts = {part.name: part for part in parts}
        leases = [part.limit.lease_seconds for part in parts if part.quota.concurrent is not None]
        self._renews_after = min(leases, default=0) / _RENEWALS

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its limits, one for each quota, in their order: each has a ``name``, a ``quota`` and the ``limit``."""
        return tuple(self._parts.values())

    def set_limits(self, limits: Limits) -> None:
        """Put other limits in the place of these, in this process; takes what the class takes.

        One with the name, the algorithm, the window and the unit of one before keeps what was spent. The
        others find what is in the zone by their names, which the log says of those whose name was known.
        Nothing has changed when an argument is wrong.
        """
        with self._changing:
            parts = parts_in_zone(limits)
            places = places_of(self._made_of[1], self.name, parts)
            afresh = self._set_parts(*plans_of(parts), places)
            self._keep(parts)
        self._places.look_again()
        if afresh:
            import logging

            log = logging.getLogger("sluicegate")
            for name in afresh:
                log.warning(
                    "The limit %r of the gate %r begins afresh: its window, unit, algorithm or lease is "
                    "another one now.",
                    name,
                    self.name,
                )

    def refund(self, keys: Keys, decision: GateDecision) -> None:
        super().refund(keys, decision)
        self._places.look_again()

    def _settle_by(
        self,
        quotas: GateQuotas,
        keys: Keys,
        cost: int | Mapping[str, int] | tuple[int, ...],
        decision: GateDecision,
        used: tuple[int | None, ...],
    ) -> None:
        super()._settle_by(quotas, keys, cost, decision, used)
        self._places.look_again()

    def reset(self, keys: Keys) -> None:
        super().reset(keys)
        self._places.look_again()

    def clear(self) -> None:
        super().clear()
        self._places.look_again()

    refund.__doc__ = _core.ZoneGate.refund.__doc__
    reset.__doc__ = _core.ZoneGate.reset.__doc__
    clear.__doc__ = _core.ZoneGate.clear.__doc__

    def statistics(self) -> GateStatistics:
        """What the gate and its limits have done in this process, as a :class:`GateStatistics`."""
        admitted, refused, limits = self._counts()
        return GateStatistics(admitted, refused, dict(limits))

    # By the names that block in Redis, so that code can be written for either.
    _check_by_sync = _core.ZoneGate._check_by  # noqa: SLF001
    _peek_by_sync = _core.ZoneGate._peek_by  # noqa: SLF001
    _settle_by_sync = _settle_by
    check_sync = _core.ZoneGate.check
    peek_sync = _core.ZoneGate.peek
    refund_sync = refund
    reset_sync = reset
    clear_sync = clear

    def ping_sync(self, timeout: float = 1.0) -> str:
        """``"shared"``: the zone is in memory, and there is no server to reach."""
        number("timeout", timeout, 0, 60, "seconds")
        return "shared"

    def close(self) -> None:
        """Nothing to close: the zone is let go with the last limiter in it, and its file stays."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        if self._clock is not None:
            raise TypeError(
                f"a {type(self).__name__} with a ManualClock cannot be pickled: the clock is in this process"
            )
        store, prefix = self._made_of
        limits = list({id(part.limit): part.limit for part in self.parts}.values())
        return _made_again, (type(self), store, limits, {"name": self.name, "prefix": prefix})

    def __repr__(self) -> str:
        limits = ", ".join(f"{part.name}: '{part.quota}'" for part in self.parts)
        return f"<Gate {self.name!r} in a zone {limits}>"


def _made_again(kind: Any, store: object, limits: Any, options: dict[str, Any]) -> Any:
    return kind(store, limits, **options)
