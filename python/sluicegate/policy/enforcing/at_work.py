"""A policy's rules, checked and made ready."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

from sluicegate.policy.enforcing.compiling import Compiler
from sluicegate.policy.enforcing.keys import KeySources
from sluicegate.policy.enforcing.rules import PolicyRules
from sluicegate.policy.enforcing.stores import RuleStores
from sluicegate.policy.rules.checking import check_rules
from sluicegate.policy.rules.matching import Matcher
from sluicegate.policy.rules.sources import OWN

if TYPE_CHECKING:
    from sluicegate.identity.client_address import ClientAddress
    from sluicegate.policy.options import PolicyOptions
    from sluicegate.policy.owned import Owned
    from sluicegate.policy.rules.rule import Rule

__all__ = ["check_together", "rules_at_work"]


def check_together(policy: PolicyOptions) -> None:
    """Raise ``ValueError`` for rules that do not fit each other, or the policy's keys and tiers."""
    for name in policy.keys or {}:
        if name in OWN or ":" in name:
            raise ValueError(
                f"keys must not have {name!r}, which rules know as by={name!r} already: give the "
                "function another name"
            )
    # Where no tiers are given, anybody may name one: a function, a principal.
    tiers = [*policy.tiers] if isinstance(policy.tiers, Mapping) else None
    check_rules(policy.rules, keys=policy.keys or (), tiers=tiers)


def rules_at_work(
    policy: PolicyOptions,
    stores: RuleStores,
    address: ClientAddress,
    owned: Owned,
    *,
    blocks: bool,
) -> PolicyRules:
    """The rules of a policy that are counted in these stores; ``blocks``: for threads."""
    rules = policy.rules
    matcher = Matcher(rules)
    keys = KeySources(address, _secret(policy, rules, stores, owned), matcher)
    return PolicyRules(rules, matcher, Compiler(policy, rules, stores, keys, blocks=blocks))


def _secret(
    policy: PolicyOptions, rules: Sequence[Rule], stores: RuleStores, owned: Owned
) -> bytes:
    """What values of headers are hashed with, which all who share a store have to know."""
    given = policy.secret
    if given is not None:
        return blake2b(given.encode() if isinstance(given, str) else given, digest_size=32).digest()
    for place, rule in enumerate(rules):
        headers = [source for source in rule.sources if source.kind == "header"]
        if headers and stores.options_of(place).place != "memory":
            raise ValueError(
                f"rules[{place}]: by='{headers[0]}' needs secret=, with which its values are hashed in "
                "a store that others read: the same in all processes, such as one of "
                "secrets.token_hex(32)"
            )
    made: bytes = owned.first("secret", os.urandom(32))
    return made
