"""What the limiters in a zone have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from sluicegate import limiters
from sluicegate._core import Quota, Zone
from sluicegate._support.arguments import checked_clock, number
from sluicegate._zone.names import with_unit
from sluicegate._zone.store import zone_of
from sluicegate.gate.limit import checked_name

__all__ = ["Limiter", "MadeOf", "quota_as_given", "remembered"]


#: The keywords of a quota: none of an earlier one stays beside another one.
_QUOTA = frozenset({"limit", "window_seconds", "config", "refill_rate", "capacity"})


class MadeOf(NamedTuple):
    """What a limiter is made of, so that another process can make it too."""

    store: object
    #: As the class takes it.
    quota: tuple[Any, ...]
    #: The keywords of the constructor.
    options: dict[str, Any]

    def name_in_zone(self) -> tuple[Zone, str]:
        """The zone, and what the limit is called there: tokens are not counted with requests."""
        name = checked_name("name", self.options["name"])
        checked_clock(self.options["clock"])
        first = self.quota[0] if self.quota else None
        unit = Quota(first).unit if isinstance(first, Quota | str) else "requests"
        return zone_of(self.store), with_unit(name, unit)

    def make(self, new: Callable[..., Any], kind: type, **options: Any) -> Any:
        """The limiter, made by the core's constructor ``new`` of its class, and with these options."""
        limiter = new(
            kind, *self.name_in_zone(), *self.quota, clock=self.options["clock"], **options
        )
        limiter._made_of = self  # noqa: SLF001
        return limiter


def quota_as_given(limit: Any, window_seconds: Any) -> tuple[Any, ...]:
    """The quota as it was given; the core checks it."""
    return (limit,) if window_seconds is ... else (limit, window_seconds)


def remembered(set_quota: Callable[..., None]) -> Any:
    """``set_quota`` of a class, which remembers what a limiter is made of from now on."""

    @wraps(set_quota)
    def change(self: Limiter, *quota: Any, **named: Any) -> None:
        set_quota(self, *quota, **named)
        kept = {name: value for name, value in self._made_of.options.items() if name not in _QUOTA}
        self._made_of = self._made_of._replace(quota=quota, options={**kept, **named})

    return change


class Limiter(limiters.Limiter):
    """Base class of the limiters in a zone, for annotations and ``isinstance``.

    Make one of the classes in :mod:`sluicegate.shared`. Any number of processes and threads use one
    at once; all that share the zone, name, algorithm, window and key share a quota. No call takes a
    lock, waits for another process or does I/O, and a process that dies in the middle of one harms
    nobody.

    ``len(limiter)`` counts the keys of the limit that are live in the zone, and looks at all of it for
    that. A copy of a limiter is itself; pickled, it is made anew where it is read, in the zone of the
    same path.
    """

    __slots__ = ()
    _made_of: MadeOf

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:  # type: ignore[override]
        made_of = self._made_of
        if made_of.options["clock"] is not None:
            raise TypeError(
                f"a {type(self).__name__} with a ManualClock cannot be pickled: the clock is in this "
                "process"
            )
        largest = made_of.options.get("largest")
        if largest is not None and largest < self.limit:
            # A limit beyond it that the layout holds has been set since.
            made_of = made_of._replace(options={**made_of.options, "largest": self.limit})
        return _made_again, (type(self), *made_of)

    def ping_sync(self, timeout: float = 1.0) -> str:
        """``"shared"``: the zone is in memory, and there is no server to reach."""
        number("timeout", timeout, 0, 60, "seconds")
        return "shared"

    def close(self) -> None:
        """Nothing to close: the zone is let go with the last limiter in it, and its file stays."""

    def __repr__(self) -> str:
        name, window = self._made_of.options["name"], self.window_seconds
        return (
            f"<{type(self).__name__} in a zone name={name!r} limit={self.limit} "
            f"window_seconds={window}>"
        )


def _made_again(kind: Any, store: object, quota: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return kind(store, *quota, **options)
