"""The middleware's permits: one a request, held until the app has returned."""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate._limiter_options import LimiterOptions
    from sluicegate._owned import Owned

__all__ = ["Hold", "permits_of"]


class Hold:
    """One request's permit."""

    __slots__ = ("_limiter", "_permit", "_shadow")

    def __init__(self, limiter: Any, shadow: bool) -> None:
        self._limiter = limiter
        self._shadow = shadow
        self._permit: Any = None

    async def take(self, key: str) -> bool:
        """Whether the request may go on: it holds a permit of ``key``, or refusals are off."""
        permit = self._limiter.try_acquire(key)
        self._permit = await permit if isawaitable(permit) else permit
        return self._shadow or self._permit is not None

    def refusal(self, cost: int) -> Refusal:
        """That no permit was free. One may be in a moment: a second is the least to be told."""
        return Refusal("concurrency", self._limiter.limit, cost, 1, None)

    async def release(self) -> None:
        if self._permit is not None:
            released = self._permit.release()
            if released is not None:
                await released


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
