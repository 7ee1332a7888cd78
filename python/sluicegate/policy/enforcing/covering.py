"""Which requests a policy limits, as far as that is known without them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate.headers import header_sets
from sluicegate.policy.exempt import Paths, exemption
from sluicegate.policy.rules.applying import chosen
from sluicegate.policy.rules.matching import Matcher
from sluicegate.refusals import REFUSALS

if TYPE_CHECKING:
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.rules.rule import Rule

__all__ = ["Covered", "covered"]


class Covered(NamedTuple):
    """What refuses some client's requests.

    Attributes:
        answers: what may answer, each once: ``"json"``, ``"problem"`` or an app.
        header_sets: which sets of fields may tell of a limit.
    """

    answers: tuple[Any, ...]
    header_sets: tuple[str, ...]


def covered(policy: PolicyOptions, method: str, path: str) -> Covered | None:
    """What ``policy`` may refuse requests to a path with, or to its template, at some host.

    ``None`` where it refuses nobody: what only watches does not count.
    """
    exempt = exemption(policy.exempt)
    if policy.shadow or (isinstance(exempt, Paths) and exempt.match({"path": path})):
        return None
    answers: list[Any] = []
    sets: list[str] = []
    for rule in _applying(policy, method, path):
        if rule is None or not rule.shadow:
            answer = None if rule is None else rule.refusal
            answers.append(policy.refusal if answer is None else REFUSALS.get(answer, answer))
            named = None if rule is None else rule.headers
            sets += header_sets(policy.headers) if named is None else named
    return Covered(tuple(dict.fromkeys(answers)), tuple(dict.fromkeys(sets))) if answers else None


def _applying(policy: PolicyOptions, method: str, path: str) -> Iterator[Rule | None]:
    """The rules that apply to some client, and ``None`` for a tier, or the policy's limiter."""
    rules, matcher = policy.rules, Matcher(policy.rules)
    hosts = dict.fromkeys([None, *(each.pattern.host for each in rules)])
    tiers = dict.fromkeys([None, *(tier for each in rules for tier in each.tier)])
    for host in hosts:
        places = matcher.match(method, host and host.replace("*", "any"), path)
        for tier in tiers:
            applies = chosen(rules, places, tier)
            if applies.exempt is None and not policy.has_only_rules:
                yield None
            yield from (rules[place] for place in applies.places)
