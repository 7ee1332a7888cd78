"""What a policy would do with one request: which limits apply, by which keys, and what they are charged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate._support.awaiting import drive_at_once
from sluicegate.policy.document.in_memory import enforcer_in_memory, scope_of
from sluicegate.policy.enforcing.applied import Applied
from sluicegate.policy.exempt import path_of
from sluicegate.policy.request import Request
from sluicegate.policy.rules.applying import chosen

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate.policy.enforcer import Enforcer
    from sluicegate.policy.rules.rule import Rule
    from sluicegate.policy.verdict import Verdict

__all__ = ["Answer", "Question", "Spent", "answer_of"]


class Question(NamedTuple):
    """One request, as the command line says it."""

    method: str
    path: str
    address: str
    host: str
    headers: tuple[tuple[str, str], ...]
    principal: str | None
    tier: str | None
    keys: Mapping[str, str]


class Spent(NamedTuple):
    """What one limit is charged.

    Attributes:
        limit: its name.
        key: of the request there.
        cost: in its unit.
        left: what the request leaves of the quota.
    """

    limit: str
    quota: str
    key: str
    cost: int
    left: int
    is_shadow: bool


class Answer(NamedTuple):
    """What becomes of the request.

    Attributes:
        tier: the client's, if the policy has tiers.
        client: whom the request is from.
        matches: the rules whose pattern it matches, each with why it does not apply, if it does not.
        spent: what it is charged.
        refusal: why it is refused, though nobody has spent anything before.
        delay: seconds that it is held.
    """

    tier: str | None
    client: str | None
    matches: list[tuple[int, str]]
    spent: list[Spent]
    refusal: str | None
    delay: float | None


def answer_of(options: Mapping[str, Any], question: Question) -> Answer:
    """What becomes of the request, with all limits untouched.

    Raises:
        ValueError: a tier or a key that the policy does not have.
    """
    enforcer = enforcer_in_memory(options, keys=question.keys)
    tiers = options.get("tiers")
    if question.tier is not None and isinstance(tiers, Mapping) and question.tier not in tiers:
        names = ", ".join(tiers)
        raise ValueError(f"--tier must be one of the policy's, {names}, got {question.tier!r}")
    scope = scope_of(
        question.method,
        question.path,
        question.address,
        host=question.host,
        headers=question.headers,
        principal=question.principal,
        tier=question.tier,
    )
    request = Request(enforcer)
    is_limited = drive_at_once(enforcer.decide(request, scope, _itself, None))
    tier = question.tier
    if is_limited and isinstance(tiers, Mapping):
        tier = request.tier.name
    spent = [each for verdict in request.in_stores() for each in _spent(verdict)]
    refusal = request.refusal
    return Answer(
        tier,
        None if request.client is None else request.client.key,
        list(_matches(enforcer, scope, tier)),
        spent if is_limited else [],
        None if refusal is None else f"{refusal.limit_name or refusal.policy}: {refusal.message}",
        request.delay() if request.lingers and refusal is None else None,
    )


def _itself(scope: Any) -> Any:
    return scope


def _spent(verdict: Verdict) -> Iterator[Spent]:
    tier, decision = verdict.tier, verdict.decision
    if decision is None:
        return
    if not isinstance(tier, Applied):
        decisions: Mapping[str, Decision] = getattr(decision, "limits", {tier.name: decision})
        quotas = getattr(tier, "quotas", {})
        for name, said in decisions.items():
            quota = quotas.get(name, getattr(tier.terms, "quota", ""))
            cost = tier.units_of(name, verdict.cost)
            yield Spent(name, str(quota), verdict.key, cost, said.remaining, False)
        return
    said_by = getattr(decision, "limits", {})
    for limit in tier.limits:
        if limit.name in said_by:
            said = said_by[limit.name]
            cost = tier.units_of(limit.name, verdict.cost)
            key = verdict.keys[limit.by]
            yield Spent(limit.name, str(limit.quota), key, cost, said.remaining, limit.is_shadow)


def _matches(enforcer: Enforcer, scope: Any, tier: str | None) -> Iterator[tuple[int, str]]:
    """The rules that match, with the reason of those that do not apply."""
    if enforcer.rules is None:
        return
    rules = enforcer.policy.rules
    places = enforcer.rules.matching(scope, path_of(scope))
    if enforcer.exempt_paths is not None and enforcer.exempt_paths.match(scope):
        yield from ((place, "the policy's exempt= has the path") for place in places)
        return
    applies = chosen(rules, places, tier)
    for place in places:
        if place in applies.places:
            yield place, ""
        elif place == applies.exempt:
            yield place, "exempt: nothing behind it applies"
        else:
            yield place, _why_not(rules[place], tier, behind=applies.exempt, place=place)


def _why_not(rule: Rule, tier: str | None, *, behind: int | None, place: int) -> str:
    if rule.tier and tier not in rule.tier:
        return f"only for the tier {' or '.join(rule.tier)}"
    if behind is not None and place > behind:
        return "behind an exempt rule"
    return f"an earlier rule of the group {rule.group!r} applies"
