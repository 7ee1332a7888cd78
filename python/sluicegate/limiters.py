"""The in-memory limiters: the Rust classes, and their coroutines."""

from __future__ import annotations

from sluicegate import _core
from sluicegate._core import Decision, Quota
from sluicegate._support import fork as _fork  # pyright: ignore  # noqa: F401  its hooks are the core's
from sluicegate._support.acquiring import key_and_tokens
from sluicegate._support.arguments import number
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.pickling import stays
from sluicegate._support.single import Single

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable
    from typing import Any, NoReturn, overload

__all__ = [
    "FixedWindow",
    "Limiter",
    "SegmentedWindow",
    "SlidingWindowCounter",
    "SlidingWindowRateLimiter",
    "TokenBucket",
]


class Limiter(Single, _core.Limiter):
    """Base class of the in-memory limiters, for annotations and ``isinstance``.

    Make one of :class:`FixedWindow`, :class:`SlidingWindowRateLimiter`, :class:`SegmentedWindow`,
    :class:`SlidingWindowCounter` or :class:`TokenBucket`. ``len(limiter)`` is how many keys it
    holds, idle ones not yet swept included; it is true also when it holds none. A copy of it is
    itself, and it cannot be pickled: its counts are in this process.
    """

    __slots__ = ()

    def __reduce__(self) -> NoReturn:
        stays(self)

    # By the names that block in Redis, so that code can be written for either.
    check_sync = _core.Limiter.check
    peek_sync = _core.Limiter.peek
    refund_sync = _core.Limiter.refund
    reset_sync = _core.Limiter.reset
    clear_sync = _core.Limiter.clear

    def check_many_sync(
        self, keys: Iterable[str], cost: int = 1, *, quota: Quota | str | None = None
    ) -> list[Decision]:
        """``check`` for each key, in their order; nothing is atomic between keys.

        Raises ``TypeError`` or ``ValueError`` for the arguments that ``check`` rejects; calls for
        the keys before a bad one have been spent.
        """
        if isinstance(keys, str):
            raise TypeError(f"keys must be an iterable of str, not one str, got {keys!r}")
        if isinstance(quota, str):
            quota = Quota(quota)  # read once
        return [self.check(key, cost, quota=quota) for key in keys]

    def ping_sync(self, timeout: float = 1.0) -> str:
        """``"memory"``: there is no server to reach."""
        number("timeout", timeout, 0, 60, "seconds")
        return "memory"

    def close(self) -> None:
        """Nothing to close in memory; the limiter goes on."""

    @to_be_awaited
    async def wait(
        self,
        key: str,
        cost: int = 1,
        timeout: float | None = None,
        *,
        quota: Quota | str | None = None,
    ) -> Decision:
        """Wait until admitted; refuse at once if that would take over ``timeout`` seconds.

        First come, first served, in one queue per key with ``wait_sync``; a plain
        ``check`` does not overtake. A caller that is cancelled or gives up spends
        nothing. ``timeout`` is in seconds, ≥ 0, or ``None`` to wait as long as it takes;
        ``quota`` as of ``check``.

        Raises ``TypeError`` or ``ValueError`` for the arguments that ``check`` rejects.
        """
        admitted = self._admit_at_once(key, cost, timeout, quota)
        if admitted is not None:
            return admitted
        from sluicegate._support.waiting.in_line import wait_in_line

        def enqueue(bells: _core.Bells, number: int) -> _core.Ticket | Decision:
            return self._enqueue(key, cost, timeout, quota, bells, number)

        return await wait_in_line(enqueue)


class FixedWindow(_core.FixedWindow, Limiter):
    """At most ``limit`` units in each window that is aligned to Unix time.

    Cheapest to understand, and open to bursts on both sides of a boundary: up to
    ``2 * limit`` in a span of one window. About 40 bytes a key.

    Args:
        limit: units per window, 1 to 4,294,967,295; or a :class:`Quota` or its text, such as
            ``"100/minute"`` or ``"1000/day in America/Los_Angeles"``, instead of both.
        window_seconds: 0.000001 to 1,000,000,000, rounded to the microsecond.
        max_keys: hard bound on the keys held, 1 to 4,294,967,295.
        overflow: who decides for new keys while ``max_keys`` live ones are held:
            ``"share"``, one quota for all of them together; ``"admit"``, nobody.
        clock: a :class:`~sluicegate.testing.ManualClock` for tests.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = ()


class SlidingWindowRateLimiter(  # pyright: ignore[reportIncompatibleMethodOverride]
    _core.SlidingWindowRateLimiter, Limiter
):
    """At most ``max_requests`` in any span of ``window_seconds``: exact, by a log of times.

    Costs 4 bytes a remembered unit (8 for windows over 71
    minutes) and about 80 a key; a key with one request needs no log.

    Args:
        max_requests: units in any window, 1 to 16,777,216 (each is remembered;
            :class:`SegmentedWindow` has no such bound); or a :class:`Quota` or its text.
        window_seconds: 0.000001 to 1,000,000,000, rounded to the microsecond.
        max_keys, overflow, clock: as :class:`FixedWindow`.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = ()


class SegmentedWindow(_core.SegmentedWindow, Limiter):
    """At most ``limit`` in any span of ``window_seconds``, for limits where a log is too large.

    Cuts the window into 60 parts, and counts a part in full as long as any of it is in the
    window. So no window ever holds more than the limit, and a unit is back one part late at
    most: a sixtieth of the window. ``retry_after`` is exact by that rule. Windows of up to 60
    microseconds have parts of one, and are exact.

    About 70 bytes a key, and one to five for each part in use after the first, nothing for
    the others: at most 140 more for limits up to 65,535, and 270 for any.

    Args:
        limit, window_seconds, max_keys, overflow, clock: as :class:`FixedWindow`, but for calendar
            windows.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = ()


class SlidingWindowCounter(_core.SlidingWindowCounter, Limiter):
    """Approximates a sliding window from two aligned counters: about 40 bytes a key.

    Weighs the last window's count by the share of it that the sliding window still
    covers. That is an approximation by construction: up to ``2 * limit - 1`` can pass
    in one window, and callers are refused whose true window is empty. On Poisson
    traffic at 90 to 150 % of the limit 6 to 11 % were wrongly admitted and 1 to 21 %
    wrongly refused. Choose :class:`SlidingWindowRateLimiter` where that matters, or
    :class:`SegmentedWindow` for limits of many thousands.

    Args:
        limit, window_seconds, max_keys, overflow, clock: as :class:`FixedWindow`, but for calendar
            windows.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = ()


class TokenBucket(_core.TokenBucket, Limiter):
    """Bursts up to ``capacity``, ``refill_rate`` tokens a second on average.

    Exact, as the generic cell rate algorithm (ITU-T I.371): over any span of ``d``
    seconds at most ``capacity + floor(d * refill_rate)`` tokens. About 45 bytes a key.

    ``TokenBucket("10/second burst 100")``, ``TokenBucket(100, 10)``,
    ``TokenBucket(capacity=100, refill_rate=10)`` or ``TokenBucket(TokenBucketConfig(100, 10))``.

    Args:
        config: the capacity; or a :class:`Quota` or its text, or a :class:`TokenBucketConfig`,
            instead of the next three.
        capacity: most tokens of a key, 1 to 4,294,967,295.
        refill_rate: tokens per second and key, 1e-9 to 1e12; read as the simplest
            fraction that is written the same.
        initial_tokens: level at the limiter's creation, 0 to ``capacity`` (the default);
            keys not yet seen have been refilling since then.
        max_keys, overflow, clock: as :class:`FixedWindow`.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        @overload
        def acquire(self, tokens: int = 1, key: str = "") -> Coroutine[Any, Any, Decision]: ...
        @overload
        def acquire(self, key: str, tokens: int = 1) -> Coroutine[Any, Any, Decision]: ...
        def acquire(self, *args: Any, **kwargs: Any) -> Any:
            """Take tokens now or be refused now; by position a ``str`` is the key."""

    else:

        @to_be_awaited
        async def acquire(self, *by_position, key=..., tokens=...):
            """Take tokens now or be refused now: a Decision, which unpacks as ``(allowed, info)``.

            ``acquire(5)``, ``acquire("llm", 5)``, ``acquire(5, "llm")`` or
            ``acquire(tokens=5, key="llm")``: by position a ``str`` is the key and an ``int`` the
            tokens. Without them it takes one token, of the key ``""``.

            Raises ``TypeError`` or ``ValueError`` for the arguments that ``check`` rejects.
            """
            if len(by_position) == 1 and key is tokens is ... and type(by_position[0]) is int:
                return self.check("", by_position[0])  # most calls, and much quicker so
            key, tokens = key_and_tokens(by_position, key, tokens)
            return self.check("" if key is ... else key, tokens)
