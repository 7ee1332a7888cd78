"""Which place a ``store`` is, and which options limits have there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from sluicegate._connection.client import is_client
from sluicegate._connection.settings import Settings, settings_of
from sluicegate._connection.url import is_url
from sluicegate._zone.store import is_zone

__all__ = ["OPTIONS", "STORES", "Place", "check_options", "place_of"]

Place = Literal["memory", "zone", "redis"]

#: By either of these the place is given.
STORES: Final = ("redis", "store")
OPTIONS: Final[dict[Place, tuple[str, ...]]] = {
    "memory": ("max_keys", "overflow", "clock"),
    "zone": ("prefix", "clock"),
    "redis": ("prefix", "timeout", "on_error", "workers", "remember"),
}
_WHERE: Final[dict[Place, str]] = {"memory": "in memory", "zone": "in a zone", "redis": "in Redis"}
_RIGHT = "redis://localhost:6379/0 or shared:///run/app/limits.zone?size=10m"


def place_of(redis: object, store: object) -> Place:
    """The place that the options ``redis`` or ``store`` name; in memory when neither is given.

    Raises ``TypeError`` when both are given, or it is no store at all, and ``ValueError`` for a URL
    that is wrong.
    """
    if redis is not None:
        if store is not None:
            raise TypeError("redis= and store= are the same: give one of them")
        if is_zone(redis):
            raise TypeError("redis= is for a server: give the zone as store=")
        return "redis"
    if store is None:
        return "memory"
    if is_zone(store):
        return "zone"
    if isinstance(store, str) and not is_url(store):
        # It is not quoted: who has mistyped a scheme may have written a password behind it.
        raise ValueError(f"store must be a URL such as {_RIGHT}: its scheme is not known")
    if not (isinstance(store, (str, Settings)) or is_client(store)):
        raise TypeError(
            f"store must be a URL such as {_RIGHT}, a redis-py client or a zone, got "
            f"{type(store).__name__} {store!r}"
        )
    try:
        settings_of(store)
    except ValueError as error:
        raise ValueError(str(error).replace("redis must", "store must", 1)) from None
    return "redis"


def check_options(place: Place, given: Iterable[str]) -> None:
    """Raise ``TypeError`` for an option that limits in another place have."""
    for name in given:
        if name in OPTIONS[place]:
            continue
        places: list[Place] = [other for other in OPTIONS if name in OPTIONS[other]]
        where = " or ".join(_WHERE[other] for other in places)
        if place == "memory":
            instead = "redis= too, or a zone as store=" if "zone" in places else "redis= too"
            raise TypeError(f"{name}= is for limits {where}: give {instead}, or leave it out")
        here = "with redis=" if place == "redis" else "in a zone"
        raise TypeError(f"{name}= is for limits {where}: it means nothing {here}")
