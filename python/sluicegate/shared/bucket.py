"""The token bucket in a zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from sluicegate import _core, limiters
from sluicegate._core import Decision, ManualClock, Quota, TokenBucketConfig, Zone
from sluicegate.shared.limiter import Limiter, MadeOf, remembered

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from typing_extensions import Self

__all__ = ["TokenBucket"]


class TokenBucket(_core.ZoneTokenBucket, Limiter):
    """Bursts up to ``capacity``, ``refill_rate`` tokens a second on average.

    The generic cell rate algorithm (ITU-T I.371): over any span of ``d`` seconds at most
    ``capacity + floor(d * refill_rate)`` tokens. A token may be back one microsecond late, never
    early. 32 bytes a key.

    ``TokenBucket(zone, "10/second burst 100", name="api")``, ``TokenBucket(zone, 100, 10, name="api")``
    or ``TokenBucket(zone, TokenBucketConfig(100, 10), name="api")``.

    Args:
        store: the zone, as of :class:`FixedWindow`.
        config: the capacity; or a :class:`~sluicegate.Quota` or its text, or a
            :class:`~sluicegate.TokenBucketConfig`, instead of the next two.
        refill_rate: tokens per second and key, 1e-9 to 1e12.
        capacity: most tokens of a key, 1 to 4,294,967,295.
        name: what the limit is called, as of :class:`FixedWindow`. Neither the capacity nor the rate is
            a part of it. When they change, what was spent is back when it would have been by the
            old rate: a day's tokens in a day, also where the new rate has them back in a second.
            ``reset`` a key that shall not wait for that.
        clock: a :class:`~sluicegate.testing.ManualClock` for tests.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
        StoreError: the file or the machine does not allow a zone there; the message says why.
    """

    __slots__ = ("_made_of",)
    _IN_ZONE = "token_bucket"

    def __new__(
        cls,
        store: str | Zone,
        config: TokenBucketConfig | Quota | str | int | None = None,
        refill_rate: float | None = None,
        *,
        name: str,
        capacity: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self:
        options = {"name": name, "capacity": capacity, "clock": clock}
        made: Self = MadeOf(store, (config, refill_rate), options).make(
            super().__new__, cls, capacity=capacity
        )
        return made

    if TYPE_CHECKING:

        @overload
        def acquire(self, tokens: int = 1, key: str = "") -> Coroutine[Any, Any, Decision]: ...
        @overload
        def acquire(self, key: str, tokens: int = 1) -> Coroutine[Any, Any, Decision]: ...
        def acquire(self, *args: Any, **kwargs: Any) -> Any:
            """Take tokens now or be refused now; by position a ``str`` is the key."""

    else:
        acquire = limiters.TokenBucket.acquire
        set_quota = remembered(_core.ZoneTokenBucket.set_quota)
