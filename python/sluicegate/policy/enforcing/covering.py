"""Which requests a policy limits, as far as that is known without them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate.policy.exempt import Paths, exemption
from sluicegate.policy.rules.applying import chosen
from sluicegate.policy.rules.matching import Matcher

if TYPE_CHECKING:
    from sluicegate.policy.options import PolicyOptions

__all__ = ["covers"]


def covers(policy: PolicyOptions, method: str, path: str) -> bool:
    """Whether ``policy`` limits some client's requests to a path, or to its template, at some host."""
    exempt = exemption(policy.exempt)
    if isinstance(exempt, Paths) and exempt.match({"path": path}):
        return False
    rules, matcher = policy.rules, Matcher(policy.rules)
    hosts = {None, *(each.pattern.host for each in rules)}
    tiers = {None, *(tier for each in rules for tier in each.tier)}
    for host in hosts:
        places = matcher.match(method, host and host.replace("*", "any"), path)
        for tier in tiers:
            applies = chosen(rules, places, tier)
            if applies.places or (applies.exempt is None and not policy.has_only_rules):
                return True
    return False
