"""What came of a request at one limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate.headers import retry_after_seconds
from sluicegate.policy.quotas import UNLIMITED
from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate.identity.client import Client
    from sluicegate.policy.permits import RequestPermit
    from sluicegate.policy.steps import Steps
    from sluicegate.policy.tiers.tier import Tier

__all__ = ["Verdict"]


class Verdict:
    """By which tier a request was limited, and with which decision or refusal.

    Without either it was not charged.

    Attributes:
        client: whom the request is from; ``None`` if nobody has looked, as when it is exempt.
        tells: whether clients are told of the quota, which somebody knows then.
    """

    tier: Tier
    key: str
    # Of the class as long as nothing else is known: what is not set costs a request nothing.
    cost: int = 1
    client: Client | None = None
    decision: Decision | None = None
    refusal: Refusal | None = None
    tells: bool = False

    def judge(self, tier: Tier, key: str, cost: int, decision: Decision) -> None:
        """What the limiter has decided."""
        self.tier = tier
        self.key = key
        self.cost = cost
        self.decision = decision
        self.tells = tier.tells
        if not decision:
            wait, status = retry_after_seconds(decision), tier.closed_status
            self.refusal = Refusal(tier.name, decision.limit, cost, wait, decision, status)
            self.tells = tier.tells and not self.refusal.unavailable

    def leave(self, tier: Tier, key: str, cost: int, refusal: Refusal | None = None) -> None:
        """The limiter is not asked: there is no charge, or no need to ask for a refusal."""
        self.tier = tier
        self.key = key
        self.cost = cost
        self.refusal = refusal

    def charge(
        self, tier: Tier, key: str, cost: int, permit: RequestPermit | None = None
    ) -> Steps[None]:
        """Ask the limiter, unless there is no permit, or the cost says that it need not be."""
        limit = tier.terms.limit
        if cost > limit and tier.limiter is not UNLIMITED:
            self.leave(tier, key, cost, Refusal(tier.name, limit, cost, None, None))
        elif permit is not None and not (yield from permit.take(key)):
            self.leave(tier, key, cost, permit.refusal(cost))
        elif cost == 0:
            self.leave(tier, key, cost)
        else:
            self.judge(tier, key, cost, (yield tier.check, (key, cost)))

    def given_back(self) -> tuple[Callable[..., Any], tuple[str, int | Decision]] | None:
        """The call that gives back what was spent, the first time and if the limiter can."""
        refund, cost = self.tier.refund, self.cost
        if not self.decision or refund is None or cost == 0:
            return None
        self.cost = 0
        return refund, (self.key, self.decision if self.tier.takes_receipts else cost)
