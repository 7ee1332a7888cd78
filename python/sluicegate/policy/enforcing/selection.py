"""The limits that apply to some requests, compiled: what is called, and which gates are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sluicegate.policy.enforcing.applied import Applied
from sluicegate.policy.verdict import Verdict

if TYPE_CHECKING:
    from sluicegate.policy.enforcing.subject import Subject
    from sluicegate.policy.held.permits import RequestPermit
    from sluicegate.policy.steps import Charged, Steps
    from sluicegate.policy.tiers.tier import Tier

__all__ = ["Selection"]

Function = Callable[[Any], Any]


class Selection:
    """What is asked of a request, store by store, for as long as its policy stays.

    Args:
        tiers: in the order in which they are asked: the limits that apply in each store, and last the
            tier's limiter if that was given as one.
        named: the functions that say what some of the limits count by.
        costs: those that say what requests cost.
        cost: what one costs a limiter that was given: a number, or one of these functions.
        is_exempt: whether a rule says that nothing else limits them.
        free: admits those that nothing limits.

    Attributes:
        only: the limits that apply, if they are in one store and nothing has to be called.
        lingers: whether there is something to be done once they are admitted.
    """

    __slots__ = (
        "_asks",
        "_cost",
        "_costs",
        "_free",
        "_named",
        "is_exempt",
        "lingers",
        "only",
        "tiers",
    )

    def __init__(
        self,
        tiers: Sequence[Tier],
        named: Mapping[str, Function],
        costs: Iterable[Function],
        cost: Function | int,
        *,
        is_exempt: bool,
        free: Tier,
    ) -> None:
        self.tiers = tuple(tiers)
        self.is_exempt = is_exempt
        self._free = free
        self._named = dict(named)
        self._costs = tuple({id(each): each for each in costs}.values())
        self._cost = cost
        self._asks = bool(self._named or self._costs)
        first = self.tiers[0] if len(self.tiers) == 1 and not self._asks else None
        self.only = first if isinstance(first, Applied) else None
        self.lingers = any(tier.delays or tier.settles for tier in self.tiers)

    def charge(
        self, request: Verdict, subject: Subject, permit: RequestPermit | None
    ) -> Steps[None]:
        """Ask one store after the other; one that refuses has what came before given back.

        All that is to be known of the request is asked for first, so that nothing has been spent if
        a function fails.
        """
        if self._asks:
            yield from subject.ask(self._named, self._costs)
        key = subject.client.key
        charges: list[tuple[Tier, Charged, Any]] = []
        for tier in self.tiers or (self._free,):
            charges += [(yield from self._charges(tier, subject))]
        try:
            for tier, cost, keys in charges[:-1]:
                verdict = Verdict()
                yield from verdict.charge(tier, key, cost, permit, keys)
                permit = None  # it has one, or is refused
                if verdict.refusal is not None:
                    request.become(verdict)
                    break
                request.go_on_after(verdict)
            else:
                tier, cost, keys = charges[-1]
                yield from request.charge(tier, key, cost, permit, keys)
        except Exception:
            yield from request.give_back_earlier()
            raise
        if request.refusal is not None:
            yield from request.give_back_earlier()

    def _charges(self, tier: Tier, subject: Subject) -> Steps[tuple[Tier, Charged, Any]]:
        """What a tier is asked: the cost, and the keys."""
        if isinstance(tier, Applied):
            return tier, tier.cost_of(subject), tier.keys_of(subject)
        if not self.tiers:
            return tier, 1, None
        cost: Charged = self._cost if isinstance(self._cost, int) else subject.costs[id(self._cost)]
        if subject.is_a_try and not tier.charged(cost):
            cost = tier.one
        keys = None
        if tier.keys is not None:
            keys = yield from tier.keys.of(subject.client.key, subject.view)
        return tier, cost, keys
