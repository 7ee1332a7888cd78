"""The tiers that a policy's options name."""

from __future__ import annotations

from collections.abc import Mapping

from sluicegate.policy.gates.joint import JointLimits
from sluicegate.policy.options import PolicyOptions
from sluicegate.policy.owned import Owned
from sluicegate.policy.tiers.named import Tiers
from sluicegate.policy.tiers.plans import Plans

__all__ = ["tiers_of"]


def tiers_of(
    policy: PolicyOptions,
    owned: Owned,
    joint: JointLimits | None = None,
    *,
    blocks: bool = False,
) -> Tiers | Plans:
    """A policy's tiers, with limiters that are ``owned``'s; ``blocks``: for threads.

    ``joint`` counts all quotas if it is given.
    """
    tiers = policy.tiers
    if tiers is None or isinstance(tiers, Mapping):
        return Tiers(policy, owned, joint, blocks=blocks)
    if callable(tiers):
        return Plans(tiers, policy, owned, joint, blocks=blocks)
    raise TypeError(
        "tiers must be a dict of name to quota, such as {'free': '100/minute'}, or a function of "
        f"the name, got {tiers!r}"
    )
