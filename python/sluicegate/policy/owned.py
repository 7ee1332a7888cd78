"""Limiters that belong to what the user passes, not to each middleware that is made of it.

Some frameworks build a middleware anew for each route, all from the same arguments, before
they serve the first request. What is made of them later is for another app, as in tests.
"""

from __future__ import annotations

from types import BuiltinMethodType, MethodType
from typing import Any, NamedTuple
from weakref import WeakValueDictionary

from sluicegate._core import Quota
from sluicegate._support import fork
from sluicegate._support.single import Single

__all__ = ["Counting", "Owned", "owned_by"]


class Counting(NamedTuple):
    """A limiter that other quotas may share, and the one that it was made of."""

    limiter: Any
    quota: Quota


class Owned:
    """The limiters that were made of one object's numbers.

    Attributes:
        lasts: whether other numbers may come after these, as of a file that is read again: then
            tiers are counted in one way, whatever windows and rules there are beside them.
    """

    __slots__ = ("__weakref__", "_latest", "_lock", "_made", "lasts", "owner")

    def __init__(self, owner: object, *, lasts: bool = False) -> None:
        self._lock = fork.new_lock()
        self.owner = owner  # also so that no other object gets its id
        self.lasts = lasts
        self._made: list[tuple[object, Any]] = []
        self._latest: list[tuple[object, Any]] = []

    def first(self, description: object, limiter: Any) -> Any:
        """The first limiter that had this description: ``limiter`` itself if it is new.

        One that quotas share is the ``limiter`` of what is kept, as a :class:`Counting`.
        """
        with self._lock:
            for known, made in self._made:
                if known == description:
                    return made
            self._made.append((description, limiter))
            return limiter

    def latest(self, description: object) -> Any:
        """What was kept last under this description; ``None`` if nothing was."""
        with self._lock:
            return next((made for known, made in self._latest if known == description), None)

    def keep(self, description: object, made: Any) -> None:
        """Keep what takes the place of the latest one; it has ``limiter``, or is one."""
        with self._lock:
            self._latest = [each for each in self._latest if each[0] != description]
            self._latest.append((description, made))

    def has_begun(self) -> bool:
        """Whether one of them has decided anything."""
        return any(_has_decided(limiter) for _, limiter in [*self._made, *self._latest])


def _has_decided(made: Any) -> bool:
    limiter = getattr(made, "limiter", made)
    read = getattr(limiter, "statistics", None)
    if not isinstance(limiter, Single) or read is None:
        return False  # one of the user's own, or of permits, which nobody holds at the beginning
    statistics = read()
    return bool(statistics.admitted or statistics.refused)


# By the owners' ids, since a dict can neither be hashed nor held weakly. An entry lives as long as
# a middleware that was made of its owner.
_owning = fork.new_lock()
_owned: WeakValueDictionary[object, Owned] = WeakValueDictionary()


def owned_by(owner: object) -> Owned:
    """What belongs to ``owner`` and has not begun; keep it while its limiters are shared."""
    # Each plans.get makes another object. Of the same plans it is equal, of equal plans it is not.
    is_method = isinstance(owner, (MethodType, BuiltinMethodType))
    name = owner if is_method else id(owner)
    with _owning:
        owned = _owned.get(name)
        if owned is None or owned.has_begun():
            owned = _owned[name] = Owned(owner)
        return owned
