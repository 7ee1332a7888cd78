"""Which of the rules that match a request apply to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sluicegate.policy.rules.rule import Rule

__all__ = ["Chosen", "chosen"]


class Chosen(NamedTuple):
    """The rules that apply.

    Attributes:
        places: of the rules, in their order.
        exempt: the place of the rule that ended the walk, behind which the client's tier does not
            apply either; ``None`` if there was none.
    """

    places: tuple[int, ...]
    exempt: int | None


def chosen(rules: Sequence[Rule], places: Iterable[int], tier: str | None) -> Chosen:
    """Those that apply of the rules at ``places``, which match, for a client of the ``tier``.

    A rule for other tiers is left out, and so is one whose group has matched before; an exempt one
    ends the walk.
    """
    found: list[int] = []
    groups: list[str] = []
    for place in places:
        rule = rules[place]
        if rule.tier and tier not in rule.tier:
            continue
        if rule.group is not None:
            if rule.group in groups:
                continue
            groups.append(rule.group)
        if rule.exempt:
            return Chosen(tuple(found), place)
        found.append(place)
    return Chosen(tuple(found), None)
