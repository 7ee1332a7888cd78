from __future__ import annotations

from collections.abc import Callable

from benches.peers.across import Place, Way
from benches.peers.settings import HOT, HOUR

from sluicegate.shared import FixedWindow


def prepare(place: Place, limit: int) -> Callable[[], Callable[[], bool]]:
    zone = f"shared://{place.folder}/limits.zone?size=1m"

    def call() -> Callable[[], bool]:
        is_allowed = FixedWindow(zone, limit, HOUR, name="bench").is_allowed
        return lambda: is_allowed(HOT)

    return call


WAY = Way("sluicegate", "FixedWindow, a zone", "fixed", prepare)
