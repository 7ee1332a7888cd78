"""The header fields of a gate's decisions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sluicegate._core import GateFields, Quota
from sluicegate.headers import Field, Item, header_sets, quoted

if TYPE_CHECKING:
    from sluicegate._core import GateDecision

__all__ = ["GateHeaders", "Names"]

#: Of each limit its name in the gate, its name in the fields, and its quota.
Names = Callable[[], Iterable[tuple[str, str, Quota]]]


class GateHeaders:
    """Makes the header fields for one gate's decisions: each limit that takes part has its items.

    Args:
        names: what the limits are called; asked once more when a gate has others.
        sets: some of :data:`~sluicegate.headers.HEADER_SETS`.
    """

    __slots__ = ("_names", "_told_as", "made", "sets")

    def __init__(self, names: Names, sets: Iterable[str] | str) -> None:
        self.sets = header_sets(sets)
        self._names = names
        self._told_as: dict[str, str] = {}
        #: The fields by the limits of now.
        self.made = self._make()

    def _make(self) -> GateFields:
        limits = list(self._names())
        self._told_as = {limit: name for limit, name, _ in limits}
        parts = [(limit, quoted(name), *_window(quota)) for limit, name, quota in limits]
        return GateFields(parts, "x-ratelimit" in self.sets, "ietf" in self.sets)

    def told_as(self, limit: str) -> str:
        """What the limit is called in the fields."""
        return self._told_as.get(limit, limit)

    def fields(self, decision: GateDecision) -> list[Field]:
        """A new list: the fields for ``decision``, as ASGI wants them."""
        fields = self.made.of(decision)
        if fields is None:  # the gate has other limits now
            self.made = self._make()
            fields = self.made.of(decision)
        return fields or []

    def items(self, decision: GateDecision) -> list[Item]:
        """What the lists say of each limit."""
        items = self.made.items(decision)
        if items is None:
            self.made = self._make()
            items = self.made.items(decision)
        is_sent = "ietf" in self.sets
        return [
            Item(limit, self.told_as(limit), *((policy, left) if is_sent else (None, None)))
            for limit, policy, left in items or ()
        ]


def _window(quota: Quota) -> tuple[float | None, int | None]:
    """The seconds ``w``, and the only limit for which they are that, if a key may have another."""
    window = quota.window_seconds
    if window is None or quota.burst is None or quota.limit is None:
        return window, None
    return quota.burst * window / quota.limit, quota.burst
