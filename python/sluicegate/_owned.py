"""Limiters that belong to what the user passes, not to each middleware that is made of it.

Some frameworks build a middleware anew for each route, all from the same arguments.
"""

from __future__ import annotations

from threading import Lock
from typing import Any
from weakref import WeakValueDictionary

__all__ = ["Owned", "owned_by"]


class Owned:
    """The limiters that were made of one object's numbers."""

    __slots__ = ("__weakref__", "_made", "owner")

    def __init__(self, owner: object) -> None:
        self.owner = owner  # also so that no other object gets its id
        self._made: list[tuple[object, Any]] = []

    def first(self, description: object, limiter: Any) -> Any:
        """The first limiter that had this description: ``limiter`` itself if it is new."""
        with _lock:
            for known, made in self._made:
                if known == description:
                    return made
            self._made.append((description, limiter))
            return limiter


_lock = Lock()
# By the owners' ids, since a dict can neither be hashed nor held weakly. An entry lives as long as
# a middleware that was made of its owner.
_owned: WeakValueDictionary[int, Owned] = WeakValueDictionary()


def owned_by(owner: object) -> Owned:
    """What belongs to ``owner``; keep it for as long as its limiters are to be shared."""
    with _lock:
        owned = _owned.get(id(owner))
        if owned is None:
            owned = _owned[id(owner)] = Owned(owner)
        return owned
