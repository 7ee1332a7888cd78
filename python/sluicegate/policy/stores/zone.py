"""Limits of a policy in a zone: what they are called, and which classes count them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sluicegate._support.prefixes import PREFIX, digested, joined
from sluicegate._zone.segments import LARGEST_UNNAMED

if TYPE_CHECKING:
    from sluicegate._core import ManualClock, Quota

__all__ = ["classes", "made", "name_in_zone", "permits_in_zone"]


def classes() -> dict[str, Callable[..., Any]]:
    """The classes by the names of their algorithms."""
    from sluicegate import shared

    return {
        "sliding_window": shared.SlidingWindowRateLimiter,  # which says why there is none
        "segmented_window": shared.SegmentedWindow,
        "sliding_counter": shared.SlidingWindowCounter,
        "fixed_window": shared.FixedWindow,
        "token_bucket": shared.TokenBucket,
    }


def name_in_zone(prefix: str, *names: str) -> str:
    """What a limit is called there: by its prefix and names, of which any text may be one."""
    name = joined(prefix, *names)
    plain = name.isascii() and name.isprintable()
    return name if plain else digested(PREFIX, (prefix, *names))


def made(
    make: Any, store: object, quota: Quota, name: str, largest: int, clock: ManualClock | None
) -> Any:
    """A limiter in a zone, with room for limits up to the ``largest``.

    Segments have room for all limits that have 7 parts, so that a limit can be raised later.
    """
    if make is not classes()["segmented_window"]:
        return make(store, quota, name=name, clock=clock)
    room = max(largest, quota.limit or 0, LARGEST_UNNAMED)
    return make(store, quota, name=name, largest=room, clock=clock)


def permits_in_zone(store: object, limit: int, name: str, clock: ManualClock | None) -> Any:
    """So many permits of each key in the zone ``store``."""
    from sluicegate.shared import ConcurrencyLimiter

    where: Any = store
    return ConcurrencyLimiter(where, limit, name=name, clock=clock)
