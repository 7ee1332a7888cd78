"""What came of a request at one limit."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sluicegate._core import CostError
from sluicegate.headers import retry_after_seconds
from sluicegate.policy.held.reservation import Held, HeldByThread
from sluicegate.policy.steps import put_right

if TYPE_CHECKING:
    from sluicegate._core import Decision
    from sluicegate.identity.client import Client
    from sluicegate.policy.held.permits import RequestPermit
    from sluicegate.policy.steps import Call, Charged, Steps
    from sluicegate.policy.tiers.tier import Tier
    from sluicegate.refusals import Refusal

__all__ = ["NOT_GIVEN_BACK", "Verdict"]

NOT_GIVEN_BACK: Final = "What a refused request had spent could not be given back."
_NOT_SETTLED: Final = "What a request had spent could not be put right by its status."

_log = logging.getLogger("sluicegate")


class Verdict:
    """By which tier a request was limited, and with which decision or refusal.

    Without either it was not charged.

    Attributes:
        keys: by what a gate has counted it, if that is more than its key.
        held: what it holds of a gate that has permits.
        client: whom the request is from; ``None`` if nobody has looked, as when it is exempt.
        tells: whether clients are told of the quota, which somebody knows then.
        earlier: what other stores have said before, which were asked for the same policy.
        lingers: whether there is something to be done once the request is admitted.
    """

    tier: Tier
    key: str
    # Of the class as long as nothing else is known: what is not set costs a request nothing.
    keys: Any = None
    held: Held | None = None
    cost: Charged = 1
    client: Client | None = None
    decision: Decision | None = None
    refusal: Refusal | None = None
    tells: bool = False
    earlier: Sequence[Verdict] = ()
    lingers: bool = False

    def judge(self, tier: Tier, key: str, cost: Charged, decision: Decision) -> None:
        """What the limiter has decided."""
        self.tier = tier
        self.key = key
        self.cost = cost
        self.decision = decision
        self.tells = tier.tells
        if tier.is_gate and decision.name is None:  # type: ignore[attr-defined]
            self.tells = False  # no limit has taken part
        if not decision:
            self.refusal = tier.refusal(decision, cost, retry_after_seconds(decision))
            self.tells = self.tells and not self.refusal.unavailable

    def leave(self, tier: Tier, key: str, cost: Charged, refusal: Refusal | None = None) -> None:
        """The limiter is not asked: there is no charge, or no need to ask for a refusal."""
        self.tier = tier
        self.key = key
        self.cost = cost
        self.refusal = refusal

    def charge(
        self,
        tier: Tier,
        key: str,
        cost: Charged,
        permit: RequestPermit | None = None,
        keys: Any = None,
    ) -> Steps[None]:
        """Ask the limiter, unless there is no permit, or the cost says that it need not be.

        ``keys`` are those of a gate that counts by more than whom the request is from.
        """
        self.keys = keys
        excess = None
        if cost != 1 and (tier.is_gate or not isinstance(cost, int) or cost > tier.terms.limit):
            cost = tier.charged(cost)
            excess = tier.excess(cost)
        if excess is not None:
            self.leave(tier, key, cost, excess)
        elif permit is not None and not (yield from permit.take(key)):
            self.leave(tier, key, cost, permit.refusal(tier.units_of(None, cost)))
        elif cost == 0:
            self.leave(tier, key, cost)
        else:
            try:
                if tier.holds:
                    held = HeldByThread if tier.blocks else Held
                    self.held = held(tier.reservation(self.charged_to(key), cost))
                    decision = yield self.held.acquire, ()
                else:
                    decision = yield tier.check, (self.charged_to(key), cost)
            except CostError as error:
                self.leave(tier, key, cost, tier.too_large(error, cost))
            else:
                self.judge(tier, key, cost, decision)

    def charged_to(self, key: str) -> Any:
        """The key as the limiter takes it, or the keys."""
        return key if self.keys is None else self.keys

    def given_back(self) -> Call | None:
        """The call that gives back what was spent, the first time and if the limiter can."""
        refund, cost = self.tier.refund, self.cost
        if not self.decision or refund is None or cost == 0:
            return None
        self.cost = 0
        if self.held is not None:
            return self.held.give_back, ()
        receipt = self.decision if self.tier.takes_receipts else cost
        return refund, (self.charged_to(self.key), receipt)

    def settled(self, status: int) -> Call | None:
        """The call that gives back what is not to stay spent of a request that was answered so."""
        tier, cost = self.tier, self.cost
        if tier.settle is None or not self.decision or cost == 0:
            return None
        try:
            used = tier.used(status, cost)
        except Exception:  # of a function of the status: what was spent stays so
            _log.exception("counts= failed for the status %d.", status)
            return None
        if used is None:
            return None
        return tier.settle, (self.charged_to(self.key), cost, self.decision, used)

    def in_stores(self) -> list[Verdict]:
        """This one and the earlier ones, in the order in which the stores were asked."""
        return [*self.earlier, self]

    def go_on_after(self, verdict: Verdict) -> None:
        """Take note of what one store has admitted: another one is asked as well."""
        self.earlier = [*self.earlier, verdict]

    def become(self, verdict: Verdict) -> None:
        """Take over what came of it in a store."""
        vars(self).update(vars(verdict))

    def give_back_earlier(self) -> Steps[None]:
        """Give back what stores before the last one have admitted."""
        yield from put_right([each.given_back() for each in self.earlier], NOT_GIVEN_BACK)

    def delay(self) -> float | None:
        """Seconds that the request is to be held; ``None`` if no limit holds requests."""
        waits = [
            each.tier.delay(each.decision, each.cost)
            for each in self.in_stores()
            if each.tier.delays and each.decision is not None
        ]
        return max(waits, default=None)

    def settles(self) -> bool:
        """Whether something of what was spent may come back by the status of the answer."""
        return any(each.tier.settles for each in self.in_stores())

    def settle(self, status: int) -> Steps[None]:
        """Put right what was spent, now that the status of the answer is known."""
        yield from put_right([each.settled(status) for each in self.in_stores()], _NOT_SETTLED)
