"""The limits of a gate, part by part: what each is called, and how it is counted."""

from __future__ import annotations

from sluicegate._core import Quota
from sluicegate.gate.algorithms import algorithm_of
from sluicegate.gate.limit import Limit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    #: What a gate may be made of.
    Limits = str | Quota | Limit | Iterable["str | Quota | Limit"]

__all__ = ["Part", "is_idle", "parts_of", "plans_of", "window_of"]


class Part:
    """One quota of a limit, with the name that decisions tell it by."""

    __slots__ = ("algorithm", "limit", "name", "quota")

    def __init__(self, limit: Limit, quota: Quota, name: str, algorithm: str) -> None:
        self.limit = limit
        self.quota = quota
        self.name = name
        self.algorithm = algorithm

    @property
    def window(self) -> str:
        """The window as the quota's text has it: ``second``, ``5 minutes``, ``day in UTC``."""
        return window_of(self.quota)


def window_of(quota: Quota) -> str:
    """The window as the quota's text has it, or ``concurrent``."""
    if quota.concurrent is not None:
        return "concurrent"
    return str(quota).partition("/")[2].partition(" burst ")[0]


def parts_of(
    limits: Limits,
    before: Mapping[str, Part] | None = None,
    algorithm_of: Callable[[Quota, str | None], str] = algorithm_of,
) -> tuple[Part, ...]:
    """The parts of all limits, in their order, each by the algorithm that ``algorithm_of`` says.

    Where no algorithm is named, one that was chosen before stays, whatever the amount is now.

    Raises ``TypeError`` or ``ValueError`` for what are no limits, one that is given twice, and equal names.
    """
    parts: list[Part] = []
    for limit in _limits(limits):
        for quota in limit.quotas:
            name = _name(limit, quota)
            known = _chosen_before(limit, quota, (before or {}).get(name))
            algorithm = known or algorithm_of(quota, limit.algorithm)
            parts.append(Part(limit, quota, name, algorithm))
    named: dict[str, Part] = {}
    for part in parts:
        first = named.setdefault(part.name, part)
        if first is not part:
            raise ValueError(
                f"limits must have names that differ, got {part.name!r} for '{first.quota}' and "
                f"'{part.quota}': give one of them a name, as Limit('{first.quota}', name='other')"
            )
    _warn_of_idle(parts)
    return tuple(parts)


def plans_of(parts: Iterable[Part]) -> tuple[list[tuple[Any, ...]], list[Any]]:
    """The parts as the core takes them, and the functions that name quotas for keys."""
    limits: list[Limit] = []
    places: dict[int, int] = {}  # by the limits' ids
    given: list[tuple[Any, ...]] = []
    for part in parts:
        limit, plan = part.limit, None
        if limit.quota_for is not None:
            plan = places.setdefault(id(limit), len(limits))
            if plan == len(limits):
                limits.append(limit)
        given.append(
            (part.name, limit.by, part.quota, part.algorithm, limit.shadow, limit.optional, plan)
        )
    return given, [limit.quota_for for limit in limits]


def _limits(limits: Limits) -> list[Limit]:
    if isinstance(limits, str | Quota | Limit):
        limits = (limits,)
    try:
        given = list(limits)
    except TypeError:
        raise TypeError(
            "limits must be a quota's text, a Limit, or some of them, as "
            f"[Limit('5/second', by='user')], got {limits!r}"
        ) from None
    if not given:
        raise ValueError("limits must be at least one, as '5/second; 300/minute', got none")
    made: list[Limit] = []
    known: set[int] = set()
    for place, limit in enumerate(given):
        if isinstance(limit, Limit):
            if id(limit) in known:
                raise ValueError(
                    f"limits must not have the same Limit twice, got {limit!r}: for another key give "
                    "another one, with by="
                )
            known.add(id(limit))
            made.append(limit)
        elif isinstance(limit, str | Quota):
            made.append(Limit(limit))
        else:
            raise TypeError(
                f"limits[{place}] must be a Limit, a Quota or its text, got "
                f"{type(limit).__name__} {limit!r}"
            )
    return made


def _name(limit: Limit, quota: Quota) -> str:
    if limit.name is not None and len(limit.quotas) == 1:
        return limit.name
    words = [limit.name or limit.by]
    if quota.unit != "requests" and quota.concurrent is None:
        words.append(quota.unit)
    return "/".join([*words, window_of(quota)])


def _chosen_before(limit: Limit, quota: Quota, known: Part | None) -> str | None:
    """A log that was chosen for a small amount goes on for a large one, with what it has counted."""
    if limit.algorithm is not None or known is None or known.limit.algorithm is not None:
        return None
    windows = (known.quota.window_seconds, known.quota.zone, known.quota.burst is None)
    same = (quota.window_seconds, quota.zone, quota.burst is None)
    return known.algorithm if windows == same else None


def _warn_of_idle(parts: list[Part]) -> None:
    """Say in the log which limits can never refuse, since a longer window allows less."""
    declared = [part for part in parts if part.limit.quota_for is None]
    for short in declared:
        for long in declared:
            if _never_refuses(short, long):
                import logging

                logging.getLogger("sluicegate").warning(
                    "The limit %r, '%s', can never refuse: %r allows only '%s' of the same key.",
                    short.name,
                    short.quota,
                    long.name,
                    long.quota,
                )
                break


def _never_refuses(short: Part, long: Part) -> bool:
    if short.limit.by != long.limit.by or long.limit.shadow:
        return False
    return is_idle(short.quota, long.quota)


def is_idle(short: Quota, long: Quota) -> bool:
    """Whether ``short`` never refuses a key that ``long`` counts too, whose longer window allows less."""
    windows = short.window_seconds, long.window_seconds
    limits = short.limit, long.limit
    if short.unit != long.unit or None in windows or None in limits:
        return False
    # A bucket refuses beyond its burst at once, and lets a burst pass beside its rate.
    least = min(limits[0], short.burst or limits[0])  # type: ignore[type-var]
    most = limits[1] + (long.burst or 0)  # type: ignore[operator]
    return windows[0] < windows[1] and least > most  # type: ignore[operator]
