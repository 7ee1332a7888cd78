from __future__ import annotations

from datetime import timedelta

from benches.peers.library import Call, Contestant, Library
from floodgate import FixedMapping


def fixed(limit: int, window: int) -> Call:
    return FixedMapping(limit, timedelta(seconds=window)).trigger


LIBRARY = Library(
    "floodgate-rs",
    [Contestant("FixedMapping", "fixed", fixed, lambda wait: wait is None)],
    distribution="floodgate-rs",
)
