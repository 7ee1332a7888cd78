"""The tiers that a policy's options name."""

from __future__ import annotations

from collections.abc import Mapping

from sluicegate.policy.options import PolicyOptions
from sluicegate.policy.owned import Owned
from sluicegate.policy.tiers.named import Tiers
from sluicegate.policy.tiers.plans import Plans

__all__ = ["tiers_of"]


def tiers_of(policy: PolicyOptions, owned: Owned, *, blocks: bool = False) -> Tiers | Plans:
    """A policy's tiers, with limiters that are ``owned``'s; ``blocks``: for threads."""
    tiers = policy.tiers
    if tiers is None or isinstance(tiers, Mapping):
        return Tiers(policy, owned, blocks=blocks)
    if callable(tiers):
        return Plans(tiers, policy, owned, blocks=blocks)
    raise TypeError(
        "tiers must be a dict of name to quota, such as {'free': '100/minute'}, or a function of "
        f"the name, got {tiers!r}"
    )
