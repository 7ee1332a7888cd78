"""The middleware's permits: one a request, held until the app has returned."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from time import time
from typing import TYPE_CHECKING, Any

from sluicegate._core import Decision
from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate.policy.limiter_options import LimiterOptions
    from sluicegate.policy.owned import Owned

__all__ = ["Hold", "permits_of"]


class Hold:
    """One request's permit."""

    __slots__ = ("_decided", "_limiter", "_permit")

    def __init__(self, limiter: Any) -> None:
        self._limiter = limiter
        self._permit: Any = None
        self._decided = True

    async def take(self, key: str) -> bool:
        """Whether the request holds a permit of ``key`` now."""
        asked = _asking(self._limiter)(key)
        permit = await asked if isawaitable(asked) else asked
        self._decided = not isinstance(permit, float)
        self._permit = permit if self._decided else None
        return self._permit is not None

    def refusal(self, cost: int) -> Refusal:
        """That no permit was free. One may be in a moment: a second is the least to be told."""
        limit = self._limiter.limit
        guess = None if self._decided else Decision(False, limit, 0, 1.0, 1.0, time() + 1, "closed")
        return Refusal("concurrency", limit, cost, 1, guess)

    async def release(self) -> None:
        if self._permit is not None:
            released = self._permit.release()
            if released is not None:
                await released


def _asking(limiter: Any) -> Callable[[str], Any]:
    """``try_acquire``, or what it calls in Redis: that gives a float if nobody decided."""
    acquire: Callable[[str], Any] = limiter.try_acquire
    in_redis = getattr(acquire, "__module__", "") == "sluicegate.concurrency.redis"
    return limiter._try_acquire if in_redis else acquire


def permits_of(concurrency: Any, options: LimiterOptions, owned: Owned) -> Any:
    """The limiter that ``concurrency`` is, or ``owned``'s of so many permits."""
    if not isinstance(concurrency, int):
        verbs = callable(getattr(concurrency, "try_acquire", None))
        if verbs and hasattr(concurrency, "limit") and not isinstance(concurrency, type):
            return concurrency
        raise TypeError(f"concurrency must be an int or a ConcurrencyLimiter, got {concurrency!r}")
    try:
        permits = options.permits(concurrency)
    except (TypeError, ValueError) as error:
        raise type(error)(f"concurrency: {error}") from error
    return owned.first(("concurrency", concurrency, options), permits)
