"""A tier: a name, the limiter that counts it and by which quota, and the headers that tell of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sluicegate._core import Quota
from sluicegate.headers import QuotaHeaders
from sluicegate.limiters import Limiter
from sluicegate.policy.quotas import UNLIMITED
from sluicegate.types import AnyLimiter

if TYPE_CHECKING:
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
    """

    __slots__ = (
        "check",
        "closed_status",
        "headers",
        "limiter",
        "name",
        "refund",
        "takes_receipts",
        "tally",
        "tells",
        "terms",
    )

    def __init__(
        self,
        name: str,
        limiter: AnyLimiter,
        sets: Iterable[str] | str,
        closed_status: int,
        *,
        share: Share | None = None,
        shadow: bool = False,
    ) -> None:
        self.name = name
        self.limiter = limiter
        self.terms: AnyLimiter | Share = limiter if share is None else share
        check: Any = limiter.check
        if share is not None:  # of a limiter of ours, whose decisions are receipts
            check = partial(check, quota=share.quota)
        self.check: Callable[..., Any] = check
        self.refund: Callable[..., Any] | None = getattr(limiter, "refund", None)
        self.takes_receipts = _takes_receipts(limiter)
        self.headers = QuotaHeaders(self.terms, name, sets)
        self.tells = bool(self.headers.sets) and not shadow and limiter is not UNLIMITED
        self.closed_status = closed_status
        self.tally: TierMetrics | None = None
