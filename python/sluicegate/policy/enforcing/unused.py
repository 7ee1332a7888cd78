"""Options that others leave nothing to say: refused, since who gives one expects something of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluicegate._core import Quota
from sluicegate.gate.is_gate import is_gate
from sluicegate.policy.gates.keys import refuse_unused_keys
from sluicegate.policy.gates.making import bys_of
from sluicegate.policy.quotas import is_quota

if TYPE_CHECKING:
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.rules.rule import Rule

__all__ = ["refuse_unused"]


def refuse_unused(policy: PolicyOptions, is_observed: bool) -> None:
    """Raise ``ValueError`` that names such an option and the other, or ``TypeError`` of a store's.

    ``is_observed``: whether there are metrics or hooks.
    """
    quotas = policy.tiers.values() if isinstance(policy.tiers, Mapping) else ()
    makes_none = not any(map(is_quota, (*quotas, policy.messages)))
    if makes_none and not policy.has_plans and not policy.rules:
        if policy.place == "memory" or not isinstance(policy.concurrency, (int, str, Quota)):
            policy.refuse_unused("all limiters are made already")
        _refuse(policy, "algorithm", "beside limiters that are made already", "give numbers")
    if policy.keys is not None and not policy.has_plans:
        tiers = policy.tiers.values() if isinstance(policy.tiers, Mapping) else ()
        bys = [bys_of(each) for each in (policy.limiter, *tiers) if is_gate(each)]
        refuse_unused_keys(policy.keys, [*bys, *map(_keys_of, policy.rules)])
    if policy.tiers is not None:
        _refuse(policy, "name", "beside tiers=, which have names", "name a tier so")
    else:
        _refuse(policy, "unknown_tier", "without tiers=", "give them instead of limiter=")
        if not any(rule.tier or "tier" in rule.by for rule in policy.rules):
            _refuse(policy, "default_tier", "without tiers=", "give them instead of limiter=")
    if not policy.has_plans:
        _refuse(policy, "tier_ttl", "unless tiers= is a function", "give that too")
    if policy.verify is None:
        _refuse(policy, "api_key_header", "without verify=", "give that too")
    if not policy.trusted_proxies:
        _refuse(policy, "proxy_header", "without trusted_proxies=", "give that too")
    if not is_observed:
        _refuse(policy, "endpoint", "without metrics= or hooks=", "give one of them too")


def _keys_of(rule: Rule) -> list[str]:
    """The names of the functions that a rule counts by."""
    return [source.name for source in rule.sources if source.kind == "key"]


def _refuse(policy: PolicyOptions, option: str, where: str, advice: str) -> None:
    if policy.is_given(option):
        raise ValueError(f"{option}= means nothing {where}: {advice}, or leave {option}= out")
