"""The options of limits that are given as numbers: how, and in which place, they are counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

# These are what typing.get_type_hints() looks for.
from sluicegate._connection.on_error import OnError
from sluicegate._core import ManualClock, Quota
from sluicegate._support.prefixes import PREFIX, check_prefix, joined
from sluicegate._zone.segments import algorithm_in_zone
from sluicegate.policy.algorithms import (
    Algorithm,
    default_algorithm,
    limiter_for,
    limiter_in_redis,
    limiter_in_zone,
    window_of,
)
from sluicegate.policy.stores.place import OPTIONS, STORES, Place, check_options, place_of
from sluicegate.policy.stores.zone import name_in_zone, permits_in_zone

__all__ = ["LimiterOptions", "Overflow"]

Overflow = Literal["share", "admit"]

_OF_PLACES = tuple(dict.fromkeys(name for names in OPTIONS.values() for name in names))
_OF_STORE = (*STORES, *_OF_PLACES)
_LEASE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LimiterOptions:
    """How limits that are given as numbers are counted: the algorithm, the place, its options.

    ``None`` is a limiter's own default. Their values are checked by the limiters.

    Raises:
        ValueError, TypeError: a prefix out of its range, or an option of another place.
    """

    algorithm: Algorithm | None = None
    redis: object = None
    store: object = None
    prefix: str | None = None
    timeout: float | None = None
    on_error: OnError | None = None
    workers: int | None = None
    remember: bool | None = None
    max_keys: int | None = None
    overflow: Overflow | None = None
    clock: ManualClock | None = None

    def __post_init__(self) -> None:
        check_options(self.place, self._given(_OF_PLACES))
        if self.prefix is not None:
            check_prefix(self.prefix)

    @property
    def place(self) -> Place:
        """Where limits are counted that are given as numbers."""
        return place_of(self.redis, self.store)

    def refuse_unused(self, because: str) -> None:
        """Raise ``TypeError`` if anything is given, since no limiter is made by it."""
        for name in self.of_store():
            raise TypeError(f"{name}= means nothing here: {because}")

    def is_given(self, *names: str) -> bool:
        """Whether the user has given one of these options."""
        return any(getattr(self, name) is not getattr(type(self), name) for name in names)

    def of_store(self) -> dict[str, Any]:
        """The options of the place that were given."""
        return self._given(_OF_STORE)

    def of_place(self) -> dict[str, Any]:
        """The options that were given beside the place itself."""
        return self._given(_OF_PLACES)

    def description(self) -> tuple[object, ...]:
        """What two limiters of one quota and algorithm may differ in."""
        options = (getattr(self, name) for name in _OF_PLACES)
        return self.where, *options

    def default_algorithm(self, quota: Quota, beside: Iterable[Quota] = ()) -> str:
        """What is counted by where no algorithm is named, by the quota and those ``beside`` it."""
        if self.place == "zone":
            return algorithm_in_zone(quota, beside)
        return default_algorithm(quota, beside)

    def make_limiter(
        self, algorithm: Algorithm, quota: Quota, *names: str, beside: Iterable[Quota] = ()
    ) -> Any:
        """A limiter of ``quota``, and in a zone with room for those ``beside`` it.

        In Redis its keys begin with the prefix, the ``names``, the algorithm, the window (a bucket
        has none) and the unit, if it is not requests; but not with the amount, which may change
        without forgetting what was spent. In a zone its name has the same parts.
        """
        place = self.place
        if place == "memory":
            return limiter_for(algorithm, quota, **self._given(OPTIONS[place]))
        if place == "zone":
            name = name_in_zone(self._prefix, *names)
            return limiter_in_zone(self.where, algorithm, quota, name, beside, self.clock)
        given = self._given(OPTIONS[place][1:])

        def prefix(algorithm: str) -> str:
            window = () if algorithm == "token_bucket" else (window_of(quota),)
            unit = () if quota.unit == "requests" else (quota.unit,)
            return joined(self._prefix, *names, algorithm, *window, *unit)

        return limiter_in_redis(self.where, algorithm, quota, prefix, **given)

    def make_permits(self, concurrent: int | str | Quota) -> Any:
        """A limiter of so many permits."""
        from sluicegate.concurrency.memory import ConcurrencyLimiter

        permits, place = ConcurrencyLimiter(concurrent), self.place
        if place == "memory":
            return permits
        if place == "zone":
            name = name_in_zone(self._prefix, "concurrency")
            return permits_in_zone(self.where, permits.limit, name, self.clock)
        from sluicegate.concurrency import redis as in_redis

        given = self._given(("timeout", "on_error", "workers"))
        timeout = given.get("timeout")
        if isinstance(timeout, (int, float)) and timeout >= _LEASE_SECONDS:
            given["lease_seconds"] = 2 * timeout  # which has to be longer
        prefix = f"{self._prefix}:concurrency"
        return in_redis.ConcurrencyLimiter(self.where, permits.limit, prefix=prefix, **given)

    @property
    def where(self) -> object:
        """The server or the zone; ``None`` in memory."""
        return self.store if self.redis is None else self.redis

    @property
    def _prefix(self) -> str:
        return PREFIX if self.prefix is None else self.prefix

    def _given(self, names: tuple[str, ...]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value is not None}
