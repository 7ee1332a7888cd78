"""The limits of a gate in a zone: which algorithm counts each, and where it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluicegate._zone.names import with_unit
from sluicegate._zone.segments import LARGEST_UNNAMED, algorithm_in_zone
from sluicegate.gate.algorithms import algorithm_of
from sluicegate.gate.parts import parts_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluicegate._core import Quota
    from sluicegate.gate.parts import Limits, Part

    #: The name in the zone, the largest amount that there must be room for, and the lease in seconds.
    Place = tuple[str, int, float]

__all__ = ["parts_in_zone", "places_of"]


def parts_in_zone(limits: Limits) -> tuple[Part, ...]:
    """The parts of all limits, in their order: without a named algorithm segments, or a bucket.

    Raises ``TypeError`` or ``ValueError`` as those in memory; and ``ValueError`` for what no word of a
    zone holds: an exact log, calendars, and large limits without a named algorithm.
    """
    return parts_of(limits, algorithm_of=_algorithm)


def _algorithm(quota: Quota, named: str | None) -> str:
    if named == "sliding_window":
        raise ValueError(
            f"quota '{quota}': an exact log does not fit a zone, where a key has one word: leave "
            "algorithm= out, or name 'segmented_window', which is never over the limit either; or "
            "count it in Redis or in memory"
        )
    if quota.concurrent is None and (named is None or quota.zone is not None):
        chosen = algorithm_in_zone(quota)  # which refuses calendars
        named = chosen if named is None else named
    return algorithm_of(quota, named)


def places_of(prefix: str, gate: str, parts: Iterable[Part]) -> list[Place]:
    """Where the limits of a gate are kept: by name, whatever their amounts are.

    Segments have room for whatever has 7 parts, so that a limit can be raised later.

    Raises ``ValueError`` for permits beyond what a word counts.
    """
    return [
        (_name(prefix, gate, part), max(part.quota.limit or 0, LARGEST_UNNAMED), _lease(part))
        for part in parts
    ]


def _name(prefix: str, gate: str, part: Part) -> str:
    """Different names never give the same: only the last, a limit's, keeps its slashes."""
    plain = [name.replace("%", "%25").replace("/", "%2F") for name in (prefix, gate)]
    return "/".join([*plain, with_unit(part.name, part.quota.unit)])


def _lease(part: Part) -> float:
    return float(part.limit.lease_seconds)
