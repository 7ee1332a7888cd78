"""The limiters that count a policy's tiers: one for all whose quotas differ in the amount only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sluicegate._core import Quota
from sluicegate.policy.algorithms import common_window
from sluicegate.policy.making import algorithm_of, check_name, declared, new_limiter, share_of
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

    Args:
        beside: quotas that have a say in the algorithm, if the options name none.
        most: how many limiters are made of quotas.
    """

    def __init__(
        self, policy: PolicyOptions, owned: Owned, beside: Iterable[Quota], most: int | None = None
    ) -> None:
        self._policy = policy
        self._owned = owned
        self._beside = tuple(beside)
        self._most = most
        self._made: dict[object, Counting] = {}

    def tier(self, place: str, name: str, given: Any) -> Tier:
        """The tier of what is ``given`` at ``place``, which errors name.

        Raises :class:`TooManyLimitersError`, and ``ValueError`` or ``TypeError`` for what is no limit.
        """
        check_name(place, name)
        quota = declared(place, given)
        if not isinstance(quota, Quota):
            return self._tier(name, quota)
        policy = self._policy
        algorithm = algorithm_of(quota, policy, self._beside)
        window = common_window(algorithm, quota)
        # An algorithm of the user's own knows no other quota than that it was made with.
        of: object = (name, quota) if window is None else window
        made = self._made.get(of)
        if made is None:
            if self._most is not None and len(self._made) >= self._most:
                raise TooManyLimitersError
            names = ("tier", name) if window is None else ("tier",)
            new = Counting(new_limiter(place, algorithm, quota, policy, *names), quota)
            # Of two policies or threads that make one, whatever the quota, one has the first word.
            made = self._owned.first(("tier", of, algorithm, policy.description()), new)
            self._made[of] = made
        if quota == made.quota:
            return self._tier(name, made.limiter)
        return self._tier(name, made.limiter, share_of(place, algorithm, quota))

    def _tier(self, name: str, limiter: AnyLimiter, share: Share | None = None) -> Tier:
        policy = self._policy
        return Tier(
            name,
            limiter,
            policy.headers,
            policy.closed_status,
            share=share,
            shadow=policy.shadow,
        )
