"""A tier: a name, the limiter that counts it and by which quota, and the headers that tell of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate._core import Quota
from sluicegate.headers import Headers, QuotaHeaders
from sluicegate.limiters import Limiter
from sluicegate.policy.quotas import REQUESTS, UNLIMITED
from sluicegate.policy.steps import Charged, Cost
from sluicegate.policy.verbs import verbs_of
from sluicegate.refusals import Refusal
from sluicegate.types import AnyLimiter

if TYPE_CHECKING:
    from sluicegate._core import CostError, Decision
    from sluicegate.observe.tier_metrics import TierMetrics

__all__ = ["Share", "Tier", "is_elsewhere"]


class Share(NamedTuple):
    """The quota by which a limiter of several tiers checks one that is not its own."""

    quota: Quota
    limit: int
    window_seconds: float


def is_elsewhere(limiter: object) -> bool:
    """Whether a limiter's state is on another machine, where keys are nobody's business."""
    return hasattr(limiter, "aclose")


def _takes_receipts(limiter: AnyLimiter) -> bool:
    """Whether its decisions are receipts: ours are, unless a subclass decides itself."""
    kind: Any = type(limiter)
    base: Any = Limiter
    if is_elsewhere(limiter):
        from sluicegate.redis.limiter import AsyncLimiter

        base = AsyncLimiter
    return issubclass(kind, base) and (kind.check, kind.refund) == (base.check, base.refund)


class Tier:
    """A limiter by name, and how it is asked.

    Attributes:
        terms: what has the tier's ``limit`` and ``window_seconds``: the limiter, or a share of it.
        refund: gives back what a check has spent; ``None`` if the limiter cannot.
        takes_receipts: whether it is told that by the decision, or by how much it was.
        tells: whether clients are told of its quota.
        closed_status: the status of refusals that nobody decided.
        tally: what an observer counts of it.
        blocks: whether it is asked by verbs that block their thread.
        is_gate: whether it is of several limits, each of which has its own decision.
        keys: which keys its gate gets; ``None``: whom the request is from.
        one: what costs least and is charged.
        holds: whether it has permits, which are held until the app has returned.
        is_plain: whether a check takes no more than whom the request is from.
        settles: whether something may come back when the status of the answer is known; then
            ``settle`` gives it back.
        delays: whether requests may be held instead of refused.
        watches: the names of limits of rules that only watch.
    """

    __slots__ = (
        "_unit",
        "blocks",
        "check",
        "closed_status",
        "headers",
        "is_gate",
        "limiter",
        "name",
        "peek",
        "refund",
        "takes_receipts",
        "tally",
        "tells",
        "terms",
    )
    check: Callable[..., Any]
    keys: Any = None
    one: Cost = 1
    holds: bool = False
    is_plain: bool = True
    settles: bool = False
    settle: Callable[..., Any] | None = None
    delays: bool = False
    watches: Sequence[str] = ()

    def __init__(
        self,
        name: str,
        limiter: AnyLimiter,
        sets: Iterable[str] | str,
        closed_status: int,
        *,
        share: Share | None = None,
        unit: str = REQUESTS,
        shadow: bool = False,
        blocks: bool = False,
    ) -> None:
        self._unit = unit
        terms: AnyLimiter | Share = limiter if share is None else share
        headers = QuotaHeaders(terms, name, sets)
        self._begin(name, limiter, terms, headers, closed_status, blocks)
        if share is not None:  # of a limiter of ours, whose decisions are receipts
            self.check = partial(self.check, quota=share.quota)
        self.is_gate = False
        self.takes_receipts = _takes_receipts(limiter)
        self.tells = bool(headers.sets) and not shadow and limiter is not UNLIMITED

    def _begin(
        self,
        name: str,
        limiter: AnyLimiter,
        terms: AnyLimiter | Share,
        headers: Headers,
        closed_status: int,
        blocks: bool,
    ) -> None:
        self.name = name
        self.limiter = limiter
        self.terms = terms
        self.blocks = blocks
        verbs = verbs_of(limiter, blocks)
        self.check = verbs.check
        self.peek, self.refund = verbs.peek, verbs.refund
        self.headers = headers
        self.closed_status = closed_status
        self.tally: TierMetrics | None = None

    def charged(self, cost: Charged) -> Charged:
        """What a request of this cost is charged: of a mapping the tier's unit."""
        if not isinstance(cost, Mapping):
            return cost
        units = cost.get(self._unit)
        if units is None and self._unit != REQUESTS and self.limiter is not UNLIMITED:
            raise ValueError(
                f"cost must say how many {self._unit} the request takes, as {{{self._unit!r}: 100}}, "
                f"but the function cost= returned {dict(cost)!r}"
            )
        return 1 if units is None else units

    def excess(self, cost: Charged) -> Refusal | None:
        """The refusal of a cost that can never be admitted."""
        limit = self.terms.limit
        assert isinstance(cost, int)
        if cost <= limit or self.limiter is UNLIMITED:
            return None
        return Refusal(self.name, limit, cost, None, None)

    def too_large(self, error: CostError, cost: Charged) -> Refusal:
        """The refusal of a cost that one of the limits can never admit."""
        return Refusal(self.name, error.limit, self.units_of(error.name, cost), None, None)

    def refusal(self, decision: Decision, cost: Charged, wait: int) -> Refusal:
        """Why a decision refuses."""
        assert isinstance(cost, int)
        return Refusal(self.name, decision.limit, cost, wait, decision, self.closed_status)

    def answer(self, limit_name: str | None) -> Any:  # noqa: ARG002
        """What answers a request that one of the limits refuses; ``None``: what the policy says."""
        return None

    def reservation(self, keys: Any, cost: Charged) -> Any:
        """The limits of a request with permits, to be held."""
        limiter: Any = self.limiter
        return limiter.reserve(keys, cost)

    def delay(self, decision: Any, cost: Charged) -> float:  # noqa: ARG002
        """Seconds that an admitted request is to be held."""
        return 0.0

    def used(self, status: int, cost: Charged) -> tuple[int | None, ...] | None:  # noqa: ARG002
        """What stays spent of a request that was answered so, by limit; ``None``: all of it."""
        return None

    def would_refuse(self, decision: Any) -> Iterable[tuple[str, Decision]]:  # noqa: ARG002
        """The limits of rules that only watch and would have refused."""
        return ()

    def units_of(self, limit_name: str | None, cost: Charged) -> int:  # noqa: ARG002
        """What a cost is in the unit of a limit."""
        assert isinstance(cost, int)
        return cost
