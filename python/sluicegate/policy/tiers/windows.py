"""The limiters that count a policy's tiers: one for all whose quotas differ in the amount only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sluicegate._core import Quota
from sluicegate.policy.algorithms import common_window
from sluicegate.policy.gates.joint import Beside, JointLimits
from sluicegate.policy.gates.store_limits import StoreLimits
from sluicegate.policy.making import (
    algorithm_of,
    check_name,
    declared,
    new_limiter,
    share_of,
    tier_of,
)
from sluicegate.policy.options import PolicyOptions
from sluicegate.policy.owned import Counting, Owned
from sluicegate.policy.tiers.tier import Share, Tier
from sluicegate.types import AnyLimiter

__all__ = ["TooManyLimitersError", "Windows"]


class TooManyLimitersError(Exception):
    """A quota needs one more than may be made."""


class Windows:
    """Makes tiers, whose limiters are ``owned``'s.

    A limiter has the quota of the first tier that needs it, which is asked most quickly; the
    others of its window check by their own. So a key that comes under another tier of the window
    keeps what it has spent.

    Quotas of a window that is also one of several in a tier are counted with those, by one gate.

    Args:
        beside: quotas that have a say in the algorithm, if the options name none.
        is_joint: whether a quota's window is one of several in some tier.
        beside_joint: gives what ``beside`` is for such a one.
        most: how many limiters are made of quotas.
        joint: what counts all quotas, whichever they are; ``None``: each as its tiers ask for.
        blocks: whether they are asked by threads.
    """

    def __init__(
        self,
        policy: PolicyOptions,
        owned: Owned,
        beside: Iterable[Quota],
        is_joint: Callable[[Quota], bool],
        beside_joint: Beside,
        most: int | None = None,
        joint: JointLimits | None = None,
        *,
        blocks: bool = False,
    ) -> None:
        self._policy = policy
        self._owned = owned
        self._beside = tuple(beside)
        self._is_joint = is_joint
        self._all_are_joint = joint is not None
        self._beside_joint = beside_joint
        self._most = most
        self._blocks = blocks
        self._made: dict[object, Counting] = {}
        self._joint = joint

    def tier(self, place: str, name: str, given: Any) -> Tier:
        """The tier of what is ``given`` at ``place``, which errors name.

        Raises :class:`TooManyLimitersError`, and ``ValueError`` or ``TypeError`` for what is no limit.
        """
        check_name(place, name)
        quota = declared(place, given)
        if isinstance(quota, tuple):
            return self._joint_tier(place, name, quota)
        if not isinstance(quota, Quota):
            return self._tier(place, name, quota)
        if self._all_are_joint or self._is_joint(quota):
            return self._joint_tier(place, name, (quota,))
        policy = self._policy
        algorithm = algorithm_of(place, quota, policy, self._beside)
        window = common_window(algorithm, quota)
        # An algorithm of the user's own knows no other quota than that it was made with.
        of: object = (name, quota) if window is None else window
        made = self._made.get(of)
        if made is None:
            self._make_room(1)
            names = ("tier", name) if window is None else ("tier",)
            limiter = new_limiter(place, algorithm, quota, policy, *names, beside=self._beside)
            new = Counting(limiter, quota)
            # Of two policies or threads that make one, whatever the quota, one has the first word.
            made = self._owned.first(("tier", of, algorithm, policy.description()), new)
            self._made[of] = made
        if quota == made.quota:
            return self._shared_tier(name, made.limiter, quota.unit)
        share = share_of(place, algorithm, quota)
        return self._shared_tier(name, made.limiter, quota.unit, share)

    def _joint_tier(self, place: str, name: str, quotas: tuple[Quota, ...]) -> Tier:
        """The tier of quotas that one gate counts."""
        policy = self._policy
        joint = self._joint
        if joint is None:
            described = "joint tiers", policy.algorithm, policy.description()
            counted = StoreLimits(policy, ("tier",))
            joint = self._joint = self._owned.first(described, JointLimits(policy, counted))
        self._make_room(joint.lacks(quotas))
        return joint.tier(place, name, quotas, policy, self._beside_joint, blocks=self._blocks)

    def _make_room(self, new: int) -> None:
        made = len(self._made) + (0 if self._joint is None else len(self._joint))
        if new and self._most is not None and made + new > self._most:
            raise TooManyLimitersError

    def _tier(self, place: str, name: str, limiter: AnyLimiter) -> Tier:
        """The tier of what was given as a limiter."""
        policy = self._policy
        return tier_of(
            place,
            name,
            limiter,
            policy,
            is_own=False,
            sets=policy.headers,
            closed_status=policy.closed_status,
            shadow=policy.shadow,
            may_hold=True,
            blocks=self._blocks,
        )

    def _shared_tier(
        self, name: str, limiter: AnyLimiter, unit: str, share: Share | None = None
    ) -> Tier:
        policy = self._policy
        return Tier(
            name,
            limiter,
            policy.headers,
            policy.closed_status,
            share=share,
            unit=unit,
            shadow=policy.shadow,
            blocks=self._blocks,
        )
