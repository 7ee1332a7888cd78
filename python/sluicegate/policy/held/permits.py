"""A request's permit: held until the app has returned."""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import TYPE_CHECKING, Any

from sluicegate._core import Decision, Quota
from sluicegate.policy.verbs import verb_of
from sluicegate.refusals import Refusal

if TYPE_CHECKING:
    from sluicegate.policy.owned import Owned
    from sluicegate.policy.steps import Steps
    from sluicegate.policy.stores.options import LimiterOptions
    from sluicegate.types import AnyPermits

__all__ = ["RequestPermit", "acquire_of", "permits_of"]


class RequestPermit:
    """The permit of one request, or why it has none."""

    __slots__ = ("_acquire", "_closed_status", "_limiter", "_permit", "_was_decided")

    def __init__(
        self, limiter: AnyPermits, acquire: Callable[[str], Any], closed_status: int
    ) -> None:
        self._limiter = limiter
        self._acquire = acquire
        self._closed_status = closed_status
        self._permit: Any = None
        self._was_decided = True

    def take(self, key: str) -> Steps[bool]:
        """Whether the request holds a permit of ``key`` now."""
        permit = yield self._acquire, (key,)
        self._was_decided = not isinstance(permit, float)
        self._permit = permit if self._was_decided else None
        return self._permit is not None

    def refusal(self, cost: int) -> Refusal:
        """That no permit was free. One may be in a moment: a second is the least to be told."""
        limit = self._limiter.limit
        closed = Decision(False, limit, 0, 1.0, 1.0, time() + 1, "closed")
        decision = None if self._was_decided else closed
        return Refusal("concurrency", limit, cost, 1, decision, self._closed_status)

    @property
    def is_held(self) -> bool:
        """Whether there is one to be given back."""
        return self._permit is not None

    def release(self) -> Any:
        """Give it back, if there is one; what this returns may have to be awaited."""
        return None if self._permit is None else self._permit.release()


def acquire_of(limiter: Any, blocking: bool) -> Callable[[str], Any]:
    """``try_acquire``; or, of a class that has both, what gives a float if nobody decided.

    ``blocking``: what gives its answer at once; ``TypeError`` if it has none.
    """
    verb = verb_of(limiter, "try_acquire", blocking)
    name = "try_acquire" if verb == limiter.try_acquire else "try_acquire_sync"
    for kind in type(limiter).__mro__:
        if name in vars(kind):
            acquire: Callable[[str], Any] = getattr(limiter, f"_{name}", verb)
            return acquire if f"_{name}" in vars(kind) else verb
    return verb


def permits_of(concurrency: Any, options: LimiterOptions, owned: Owned) -> Any:
    """The limiter that ``concurrency`` is, or ``owned``'s of so many permits, if it is given."""
    if concurrency is None:
        return None
    if not isinstance(concurrency, (int, str, Quota)):
        verbs = callable(getattr(concurrency, "try_acquire", None))
        if verbs and hasattr(concurrency, "limit") and not isinstance(concurrency, type):
            return concurrency
        raise TypeError(
            f"concurrency must be an int or a ConcurrencyLimiter, got {concurrency!r}; "
            "'5 concurrent' is right as well"
        )
    try:
        permits = options.make_permits(concurrency)
    except (TypeError, ValueError) as error:
        raise type(error)(f"concurrency: {error}") from error
    return owned.first(("concurrency", permits.limit, options.description()), permits)
