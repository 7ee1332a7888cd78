"""The bucket of a rule that holds requests instead of refusing them."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from sluicegate._core import Quota

__all__ = ["bucket_of", "faults_of_delay"]

_LARGEST = 2**32 - 1


def bucket_of(quota: Quota, delay: float) -> Quota:
    """The quota as a token bucket that holds what can be served within ``delay`` seconds.

    At the quota's rate one unit is served at once and ``delay`` times the rate while requests are
    held; a burst that the quota names may make it fewer.
    """
    assert quota.limit is not None
    assert quota.window_seconds is not None
    # As decimals: in floats 0.29 seconds at 100/second are 28.999999999999996.
    served = Fraction(repr(delay)) * quota.limit / Fraction(repr(quota.window_seconds))
    capacity = min(quota.burst or _LARGEST, int(served) + 1, _LARGEST)
    return Quota(quota.limit, quota.window_seconds, burst=capacity, unit=quota.unit)


def faults_of_delay(
    quotas: tuple[Quota, ...], delay: float, undelayed: int, algorithm: str | None
) -> Iterator[tuple[str, ValueError]]:
    """What speaks against holding requests so: fields and errors."""
    quota, *others = quotas
    if others:
        yield _fault("delay", f"one quota only, got {len(quotas)}: make a rule of each")
        return
    if quota.concurrent is not None or quota.zone is not None:
        yield _fault("delay", f"a rate, such as '10/second', got '{quota}'")
        return
    if algorithm not in (None, "token_bucket"):
        yield _fault(
            "algorithm",
            f"a token bucket, which tells when it has room: leave algorithm= out, got {algorithm!r}",
        )
    most = bucket_of(quota, delay).burst or 0
    if most < 2:
        yield _fault("delay", _too_short(quota, delay))
    elif undelayed >= most:
        yield (
            "undelayed",
            ValueError(
                f"undelayed must be an int from 0 to {most - 1:,}, as the bucket of '{quota}' with "
                f"delay={delay:g} holds {most:,}, got {undelayed}"
            ),
        )


def _too_short(quota: Quota, delay: float) -> str:
    assert quota.limit is not None
    assert quota.window_seconds is not None
    if quota.burst == 1:
        return f"a burst above 1, got '{quota}', which never has a request to hold"
    least = quota.window_seconds / quota.limit
    return f"at least {least:g} seconds at '{quota}', until one more can be served, got {delay:g}"


def _fault(field: str, needs: str) -> tuple[str, ValueError]:
    return field, ValueError(f"delay= needs {needs}")
