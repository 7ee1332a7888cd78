"""The keys of clients at limits of endpoints."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

__all__ = ["PLACES", "key_of_route", "key_of_scope"]

#: Where a request has how many limits of each name it has met.
PLACES: Final = "sluicegate.places"


def key_of_route(
    request: MutableMapping[str, Any], method: str, template: str, name: str, client: str
) -> str:
    """The key at the limit ``name`` of the route, of which there may be several. ``HEAD`` is ``GET``."""
    # As a request meets them, from 1 on.
    places: dict[str, int] = request.setdefault(PLACES, {})
    place = places[name] = places.get(name, 0) + 1
    which = "" if place == 1 else f"{place}/"
    return f"{'GET' if method == 'HEAD' else method} {len(template)}:{template} {which}{client}"


def key_of_scope(scope: str, client: str) -> str:
    """The key at the limit of a scope: no route's has a method with a colon."""
    return f"scope: {len(scope)}:{scope} {client}"
