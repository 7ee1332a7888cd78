"""The limiters of windows in a zone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, overload

from sluicegate import _core
from sluicegate._core import ManualClock, Quota, Zone
from sluicegate.shared.limiter import Limiter, MadeOf, quota_as_given, remembered

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["FixedWindow", "SegmentedWindow", "SlidingWindowCounter", "SlidingWindowRateLimiter"]

_MOST = "1 to 4,294,967,295"
_STORE = """store: the zone: its URL, ``"shared:///run/app/limits.zone?size=10m"`` or ``"shared:name"``,
            or a :class:`Zone`."""
_NAME = """name: what the limit is called, 1 to 64 printable ASCII characters. Limits of one algorithm and
            window are told apart by it. The amount is no part of it: a changed one keeps what was spent,
            and a changed window starts afresh."""
_REST = """clock: a :class:`~sluicegate.testing.ManualClock` for tests.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
        StoreError: the file or the machine does not allow a zone there; the message says why.
    """


class _Window:
    """The constructor of windows of which nothing but the quota has to be said."""

    __slots__ = ()

    @overload
    def __new__(
        cls,
        store: str | Zone,
        limit: Quota | str,
        *,
        name: str,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        store: str | Zone,
        limit: int,
        window_seconds: float,
        *,
        name: str,
        clock: ManualClock | None = None,
    ) -> Self: ...
    def __new__(
        cls,
        store: str | Zone,
        limit: Quota | str | int,
        window_seconds: Any = ...,
        *,
        name: str,
        clock: ManualClock | None = None,
    ) -> Self:
        options = {"name": name, "clock": clock}
        made_of = MadeOf(store, quota_as_given(limit, window_seconds), options)
        made: Self = made_of.make(super().__new__, cls)
        return made


class FixedWindow(_Window, _core.ZoneFixedWindow, Limiter):
    __doc__ = f"""At most ``limit`` units in each window that is aligned to Unix time.

    Cheapest to understand, and open to bursts on both sides of a boundary: up to ``2 * limit`` in a
    span of one window. When the wall clock is put right by more than a second, what was spent in the
    running window counts until its end by the new time. 32 bytes a key.

    Args:
        {_STORE}
        limit: units per window, 1 to 4,294,967,295; or a :class:`~sluicegate.Quota` or its text, such as
            ``"100/minute"``, instead of both. A zone has no calendar windows.
        window_seconds: 0.000001 to 1,000,000,000, rounded to the microsecond.
        {_NAME}
        {_REST}"""
    __slots__ = ("_made_of",)
    _IN_ZONE = "fixed_window"

    if not TYPE_CHECKING:
        set_quota = remembered(_core.ZoneFixedWindow.set_quota)


class SegmentedWindow(_core.ZoneSegmentedWindow, Limiter):
    __doc__ = f"""At most ``limit`` in any span of ``window_seconds``, in constant memory.

    Cuts the window into parts, and counts a part in full as long as any of it is in the window. So no
    window ever holds more than the limit, and a unit is back one part late at most. A key has one word
    of 110 bits, and as many parts as fit it with the limit:

    ==================  =====  ======================
    limit up to         parts  late by, of a window
    ==================  =====  ======================
    15                     19  5 %
    127                    10  10 %
    1,023                   7  14 %
    8,191                   5  20 %, of a day 5 hours
    65,535                  4  25 %, of a day 6 hours
    1,048,575               3  33 %
    67,108,863              2  50 %
    4,294,967,295           1  100 %
    ==================  =====  ======================

    The exact log is no such word, and in several of them it would not be exact when a process dies
    between two. 32 bytes a key.

    Args:
        {_STORE}
        limit: units per window, 1 to 4,294,967,295; or a :class:`~sluicegate.Quota` or its text, such as
            ``"100/minute"``, instead of both. A zone has no calendar windows.
        window_seconds: 0.000001 to 1,000,000,000, rounded to the microsecond.
        {_NAME}
        largest: the largest limit that it will ever have, of any key: the zone lays a key out for it.
            Unless given, ``limit``, and never below it. A limit that has been made keeps its layout.
        {_REST}"""
    __slots__ = ("_made_of",)
    _IN_ZONE = "segmented_window"

    @overload
    def __new__(
        cls,
        store: str | Zone,
        limit: Quota | str,
        *,
        name: str,
        largest: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self: ...
    @overload
    def __new__(
        cls,
        store: str | Zone,
        limit: int,
        window_seconds: float,
        *,
        name: str,
        largest: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self: ...
    def __new__(
        cls,
        store: str | Zone,
        limit: Quota | str | int,
        window_seconds: Any = ...,
        *,
        name: str,
        largest: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self:
        options = {"name": name, "clock": clock, "largest": largest}
        made_of = MadeOf(store, quota_as_given(limit, window_seconds), options)
        made: Self = made_of.make(super().__new__, cls, largest=largest)
        return made

    if not TYPE_CHECKING:
        set_quota = remembered(_core.ZoneSegmentedWindow.set_quota)


class SlidingWindowCounter(_Window, _core.ZoneSlidingWindowCounter, Limiter):
    __doc__ = f"""Approximates a sliding window from two aligned counters.

    Weighs the last window's count by the share of it that the sliding window still covers. That is
    an approximation by construction: up to ``2 * limit - 1`` can pass in one window, and callers are
    refused whose true window is empty; see :class:`sluicegate.SlidingWindowCounter`. 32 bytes a key.

    Args:
        {_STORE}
        limit: units per window, {_MOST}; or a :class:`~sluicegate.Quota` or its text, such as
            ``"100/minute"``, instead of both. A zone has no calendar windows.
        window_seconds: 0.000001 to 1,000,000,000, rounded to the microsecond.
        {_NAME}
        {_REST}"""
    __slots__ = ("_made_of",)
    _IN_ZONE = "sliding_counter"

    if not TYPE_CHECKING:
        set_quota = remembered(_core.ZoneSlidingWindowCounter.set_quota)


class SlidingWindowRateLimiter:
    """There is none in a zone: making it is a ``TypeError``. Take a :class:`SegmentedWindow`.

    A log of times does not fit one word, and whatever changes in several is not exact when a process
    dies between two.
    """

    _IN_ZONE = "sliding_window"

    def __new__(cls, *_: object, **__: object) -> NoReturn:
        """Raises ``TypeError``."""
        raise TypeError(
            "an exact log does not fit a zone, where a key has one word: take a SegmentedWindow "
            "(algorithm='segmented_window'), which is never over the limit either; or Redis or memory"
        )
