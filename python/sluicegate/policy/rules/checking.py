"""What is wrong with rules that are right each by itself: in one policy, beside each other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sluicegate.gate.algorithms import algorithm_of
from sluicegate.gate.parts import is_idle
from sluicegate.policy.rules.covering import covers
from sluicegate.policy.rules.nearest import nearest
from sluicegate.policy.rules.sources import OWN
from sluicegate.policy.rules.tree import Node, maybe_covering

if TYPE_CHECKING:
    from sluicegate._core import Quota
    from sluicegate.policy.rules.rule import Rule

__all__ = ["Problem", "check_rules", "idle", "problems_of", "warnings_of"]


class Problem(NamedTuple):
    """What is wrong with one of the rules.

    Attributes:
        place: of the rule, from 0.
        field: the argument that should be another.
        message: what is wrong and what would be right, without the place.
    """

    place: int
    field: str
    message: str

    def __str__(self) -> str:
        return f"rules[{self.place}]: {self.message}"


def check_rules(
    rules: Sequence[Rule],
    *,
    keys: Collection[str] = (),
    tiers: Collection[str] | None = (),
    has_principals: bool = True,
) -> None:
    """Raise ``ValueError`` with all that :func:`problems_of` finds, a line each."""
    found = problems_of(rules, keys=keys, tiers=tiers, has_principals=has_principals)
    text = "\n".join(map(str, found))
    if text:
        raise ValueError(text)


def problems_of(
    rules: Sequence[Rule],
    *,
    keys: Collection[str] = (),
    tiers: Collection[str] | None = (),
    has_principals: bool = True,
) -> Iterator[Problem]:
    """All that is wrong, rule by rule.

    Args:
        rules: a policy's.
        keys: the names of its ``keys``.
        tiers: the names of its tiers, none if it has none; ``None`` if only a function knows them.
        has_principals: whether anybody says who a client is, beside the address.
    """
    names: dict[str, int] = {}
    for place, rule in enumerate(rules):
        yield from _tier_problems(place, rule, tiers)
        yield from _by_problems(place, rule, keys, tiers, has_principals)
        yield from _name_problems(place, rules, names)
    yield from _never_problems(rules)


def warnings_of(rules: Sequence[Rule]) -> Iterator[Problem]:
    """What does no harm but cannot be meant: quotas that never refuse, since a longer one allows less."""
    for place, rule in enumerate(rules):
        for why in () if rule.shadow else idle(rule.quotas):
            yield Problem(place, "quota", why)


def idle(quotas: Sequence[Quota]) -> Iterator[str]:
    """Those that can never refuse, and why."""
    for short in quotas:
        long = next((other for other in quotas if is_idle(short, other)), None)
        if long is not None:
            yield f"'{short}' can never refuse: '{long}' allows less, for longer"


def _tier_problems(place: int, rule: Rule, tiers: Collection[str] | None) -> Iterator[Problem]:
    if tiers is None:
        return
    for tier in rule.tier:
        if not tiers:
            yield Problem(place, "tier", f"tier={tier!r} is of no client: the policy has no tiers=")
        elif tier not in tiers:
            yield Problem(
                place,
                "tier",
                f"tier must be of the policy's, {_listed(tiers)}, got {tier!r}"
                f"{nearest(tier, tiers)}",
            )


def _by_problems(
    place: int,
    rule: Rule,
    keys: Collection[str],
    tiers: Collection[str] | None,
    has_principals: bool,
) -> Iterator[Problem]:
    for source in rule.sources:
        if source.kind == "key" and source.name not in keys:
            known = (*OWN, "header:NAME", "path:PARAMETER", *keys)
            yield Problem(
                place,
                "by",
                f"by={source.name!r} is given by nobody: add keys={{{source.name!r}: a function of "
                f"the request}}, or count by {_listed(known)}{nearest(source.name, known)}",
            )
        elif source.kind == "tier" and tiers is not None and not tiers:
            yield Problem(place, "by", "by='tier' is given by nobody: the policy has no tiers=")
        elif source.kind == "principal" and not has_principals:
            yield Problem(
                place,
                "by",
                "by='principal' is given by nobody: add verify=, or count by 'client' or 'address'",
            )


def _name_problems(place: int, rules: Sequence[Rule], names: dict[str, int]) -> Iterator[Problem]:
    """``names`` are those of the rules before it, and of their limits; its own are added."""
    rule = rules[place]
    if rule.exempt:
        return
    for name in (rule.name, *rule.limit_names):
        first = names.setdefault(name, place)
        if first != place and not _count_together(rules[first], rule):
            yield Problem(
                place,
                "name",
                f"names must differ, got {name!r} for {_shown(rules, first)} and "
                f"{_shown(rules, place)}: give one of them another, as name='other'",
            )
            return


def _count_together(one: Rule, other: Rule) -> bool:
    """Whether two rules may have one name, and so the same counts: only one of them ever applies."""
    if not (one.named and other.named) or one.group is None or one.group != other.group:
        return False
    if one.sources != other.sources:
        return False
    if any(source.kind == "path" for source in one.sources):
        return False  # a parameter of one pattern is another thing than that of the next
    if (one.store, one.shadow) != (other.store, other.shadow):
        return False
    own, its = _algorithms(one), _algorithms(other)
    return all(own[name] == its[name] for name in own.keys() & its.keys())


def _algorithms(rule: Rule) -> dict[str, str | None]:
    """By the names of the limits."""
    pairs = zip(rule.limit_names, rule.quotas, strict=True)
    return {name: algorithm_of(quota, rule.algorithm) for name, quota in pairs}


def _never_problems(rules: Sequence[Rule]) -> Iterator[Problem]:
    """Rules that never apply, whatever the request, because of one that stands before them."""
    groups: dict[str | None, Node] = {}
    exempt = Node()
    for place, rule in enumerate(rules):
        is_first = rule.group is None or rule.group not in groups
        group = Node() if rule.group is None else groups.setdefault(rule.group, Node())
        first = _always_before(group, rules, rule)
        if first is not None:
            yield Problem(
                place,
                "match",
                f"{rule.match!r} can never apply: {_shown(rules, first)} of its group "
                f"{rule.group!r} matches all that it does, and comes first: put it before that, or "
                "give it another group",
            )
        else:
            first = _always_before(exempt, rules, rule)
            if first is not None:
                yield Problem(
                    place,
                    "match",
                    f"{rule.match!r} can never apply: {_shown(rules, first)} exempts all that it "
                    "matches, and comes first: put it before that",
                )
        group.add(place, rule.pattern)
        if rule.exempt and is_first:  # behind others of its group it may be passed over
            exempt.add(place, rule.pattern)


def _always_before(tree: Node, rules: Sequence[Rule], later: Rule) -> int | None:
    """The first of the rules in the ``tree`` that matches whenever ``later`` does, for any client."""
    found = (place for place in maybe_covering(tree, later.pattern) if _always(rules[place], later))
    return min(found, default=None)


def _always(first: Rule, later: Rule) -> bool:
    """Whether ``first`` matches whenever ``later`` does, for the same client."""
    for_all = not first.tier or (later.tier and set(later.tier) <= set(first.tier))
    return bool(for_all) and covers(first.pattern, later.pattern)


def _shown(rules: Sequence[Rule], place: int) -> str:
    return f"rules[{place}] ({rules[place].match!r})"


def _listed(names: Collection[str]) -> str:
    return ", ".join(map(repr, names))
