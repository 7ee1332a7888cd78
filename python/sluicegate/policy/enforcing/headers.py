"""The header fields of limits of which some are told in other sets than the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from sluicegate.headers import HEADER_SETS, Item
from sluicegate.policy.gates.headers import GateHeaders, Names

if TYPE_CHECKING:
    from sluicegate._core import Decision, GateDecision
    from sluicegate.headers import Field

__all__ = ["MixedHeaders", "headers_of"]

_X: Final = (b"x-ratelimit-limit", b"x-ratelimit-remaining", b"x-ratelimit-reset")


class MixedHeaders:
    """Makes the header fields for one gate's decisions, of each limit those of its own sets.

    Args:
        names: what the limits are called.
        sets_of: of each limit the sets that tell of it.
    """

    __slots__ = ("_all", "_sets_of", "sets")

    def __init__(self, names: Names, sets_of: Mapping[str, Iterable[str]]) -> None:
        self._all = GateHeaders(names, HEADER_SETS)
        self._sets_of = {name: frozenset(sets) for name, sets in sets_of.items()}
        told = frozenset[str]().union(*self._sets_of.values())
        self.sets = tuple(each for each in HEADER_SETS if each in told)

    @property
    def made(self) -> Any:
        """Nothing that makes them by itself: an answer asks the request."""
        return self

    def told_as(self, limit: str) -> str:
        """What the limit is called in the fields."""
        return self._all.told_as(limit)

    def fields(self, decision: GateDecision) -> list[Field]:
        """A new list: the fields for ``decision``, as ASGI wants them."""
        return self._numbers(decision) + self._lists(decision)

    def items(self, decision: GateDecision) -> list[Item]:
        """What the lists say of each limit."""
        return [
            item if self._is_told(item.limit, "ietf") else Item(item.limit, item.name, None, None)
            for item in self._all.items(decision)
        ]

    def _is_told(self, limit: str | None, among: str) -> bool:
        return among in self._sets_of.get(limit or "", ())

    def _numbers(self, decision: GateDecision) -> list[Field]:
        """Of those that are told so the one that would decide."""
        told = {item.limit for item in self._all.items(decision)}
        limits = {
            name: each
            for name, each in decision.limits.items()
            if name in told and self._is_told(name, "x-ratelimit")
        }
        if not limits:
            return []
        decides = max(limits.values(), key=_strictness)
        numbers = decides.limit, decides.remaining, ceil(decides.reset_at)
        return [(name, b"%d" % number) for name, number in zip(_X, numbers, strict=True)]

    def _lists(self, decision: GateDecision) -> list[Field]:
        told = [item for item in self.items(decision) if item.policy is not None]
        if not told:
            return []
        from sluicegate.headers import quoted

        names = [quoted(item.name) for item in told]
        policies = [name + (item.policy or b"") for name, item in zip(names, told, strict=True)]
        left = [name + (item.left or b"") for name, item in zip(names, told, strict=True)]
        return [
            (b"ratelimit-policy", b", ".join(policies)),
            (b"ratelimit", b", ".join(left)),
        ]


def _strictness(decision: Decision) -> tuple[float, float]:
    return decision.retry_after, -decision.remaining / decision.limit


def headers_of(names: Names, sets_of: Mapping[str, tuple[str, ...]]) -> GateHeaders | MixedHeaders:
    """What makes the fields of limits, each of which is told in the given sets."""
    each = set(sets_of.values())
    return GateHeaders(names, each.pop()) if len(each) == 1 else MixedHeaders(names, sets_of)
