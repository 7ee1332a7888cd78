"""The tiers of a policy that names them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from sluicegate._core import Quota
from sluicegate.policy.gates.joint import JointLimits
from sluicegate.policy.gates.making import limit_name
from sluicegate.policy.making import declared
from sluicegate.policy.options import PolicyOptions
from sluicegate.policy.owned import Owned
from sluicegate.policy.quotas import UNLIMITED
from sluicegate.policy.tiers.tier import Tier
from sluicegate.policy.tiers.unknown import UnknownTiers
from sluicegate.policy.tiers.windows import Windows

__all__ = ["Tiers"]


class Tiers:
    """All tiers of a policy by name. The first one is the default, unless ``default_tier`` is.

    A policy of rules alone has one that is not limited.
    """

    def __init__(
        self,
        policy: PolicyOptions,
        owned: Owned,
        joint: JointLimits | None = None,
        *,
        blocks: bool = False,
    ) -> None:
        tiers, default = policy.tiers, policy.default_tier
        if not isinstance(tiers, Mapping):
            only = UNLIMITED if policy.limiter is None else policy.limiter
            tiers, default = {policy.name: only}, None
        if not tiers:
            raise ValueError("tiers must name at least one tier, got {}")
        for name in tiers:
            if not isinstance(name, str):
                raise TypeError(f"tiers must have str names, got {name!r}")
        first = next(iter(tiers)) if default is None else default
        if first not in tiers:
            names = ", ".join(map(repr, tiers))
            raise ValueError(f"default_tier must be one of tiers, {names}, got {first!r}")
        place = "limiter" if policy.tiers is None else "tiers[{!r}]"
        places = {name: place.format(name) for name in tiers}
        limits = {name: declared(places[name], each) for name, each in tiers.items()}
        single = [each for each in limits.values() if isinstance(each, Quota)]
        several = [each for each in limits.values() if isinstance(each, tuple)]
        parts = [quota for quotas in several for quota in quotas]
        several_windows = {limit_name(quota, policy) for quota in parts}
        alike: dict[str, list[Quota]] = {}
        for quota in (*parts, *single):
            alike.setdefault(limit_name(quota, policy), []).append(quota)
        windows = Windows(
            policy,
            owned,
            single,
            is_joint=lambda quota: limit_name(quota, policy) in several_windows,
            beside_joint=lambda quota: alike[limit_name(quota, policy)],
            joint=joint,
            blocks=blocks,
        )
        # The default one before others of its window, so that it is asked most quickly.
        made = {
            name: windows.tier(places[name], name, limits[name])
            for name in sorted(tiers, key=lambda name: name != first)
        }
        self._tiers: dict[str, Tier] = {name: made[name] for name in tiers}
        self.default = self._tiers[first]
        self._unknown = UnknownTiers(policy, tiers)

    def __iter__(self) -> Iterator[Tier]:
        return iter(self._tiers.values())

    def watch(self, watch: Callable[[Tier], None]) -> None:
        """Have all tiers watched."""
        for tier in self:
            watch(tier)

    def get(self, name: str | None) -> Tier:
        """The tier of that name, the default one for ``None``.

        For a name that is unknown the default one too, with a warning; or a ``LookupError``.
        """
        if name is None:
            return self.default
        tier = self._tiers.get(name)
        if tier is None:
            self._unknown.note(name, self.default.name)
            return self.default
        return tier
