"""Stores in which a policy is tried: a zone that is thrown away, so that its own is not touched."""

from __future__ import annotations

from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote

from sluicegate._zone.store import is_zone
from sluicegate._zone.url import place_of

__all__ = ["ScratchStores"]


class ScratchStores:
    """Gives for each store one that a policy can be tried in."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._zones: dict[Any, str] = {}

    def of(self, store: Any) -> Any:
        """The store itself, or for a zone another one, which is empty.

        Raises ``ValueError`` for a zone's URL that is wrong.
        """
        if not is_zone(store):
            return store
        if isinstance(store, str):
            place_of(store, make=False)
        if store not in self._zones:
            if self._folder is None:
                self._folder = TemporaryDirectory(prefix="sluicegate-")
            path = f"{self._folder.name}/{len(self._zones)}.zone"
            self._zones[store] = f"shared://{quote(path)}?size=1m"
        return self._zones[store]

    def close(self) -> None:
        """Throw them away."""
        if self._folder is not None:
            self._folder.cleanup()
