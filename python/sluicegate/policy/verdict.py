"""What came of a request at one limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate.headers import retry_after_seconds
from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate.policy.permits import RequestPermit
    from sluicegate.policy.steps import Steps
    from sluicegate.policy.tiers import Tier

__all__ = ["Verdict", "charge"]


class Verdict:
    """By which tier a request was limited, and with which decision or refusal.

    Without either it was not charged.
    """

    __slots__ = ("cost", "decision", "key", "refusal", "tier")

    def __init__(
        self,
        tier: Tier,
        key: str,
        cost: int,
        decision: Decision | None,
        refusal: Refusal | None = None,
    ) -> None:
        self.tier = tier
        self.key = key
        self.cost = cost
        self.decision = decision
        if decision is None or decision:
            self.refusal = refusal
        else:
            wait = retry_after_seconds(decision)
            self.refusal = Refusal(
                tier.name, decision.limit, cost, wait, decision, tier.closed_status
            )

    @property
    def tells(self) -> bool:
        """Whether its quota is told to the client: one that somebody knows."""
        refusal = self.refusal
        known = self.decision is not None and (refusal is None or not refusal.unavailable)
        return known and self.tier.tells

    def given_back(self) -> tuple[Callable[..., Any], tuple[str, int]] | None:
        """The call that gives back what was spent, the first time and if the limiter can."""
        refund, cost = self.tier.refund, self.cost
        if not self.decision or refund is None or cost == 0:
            return None
        self.cost = 0
        return refund, (self.key, cost)


def charge(tier: Tier, key: str, cost: int, permit: RequestPermit | None = None) -> Steps[Verdict]:
    """Ask one limit, unless there is no permit, or the cost says that it need not be asked."""
    limit = tier.limiter.limit
    if cost > limit:
        return Verdict(tier, key, cost, None, Refusal(tier.name, limit, cost, None, None))
    if permit is not None and not (yield from permit.take(key)):
        return Verdict(tier, key, cost, None, permit.refusal(cost))
    decision = None if cost == 0 else (yield tier.check, (key, cost))
    return Verdict(tier, key, cost, decision)
