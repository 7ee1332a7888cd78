"""Names of tiers that nobody knows: an error, or one line in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from sluicegate.policy.options import PolicyOptions

__all__ = ["UnknownTiers"]

_log = logging.getLogger("sluicegate")


class UnknownTiers:
    """What becomes of a request whose tier is unknown; ``known`` are the names of the others."""

    __slots__ = ("_known", "_raises", "_warned")

    def __init__(self, policy: PolicyOptions, known: Iterable[str] = ()) -> None:
        self._known = tuple(known)
        self._raises = policy.unknown_tier == "error"
        self._warned = policy.tiers is None

    def note(self, name: str, default: str) -> None:
        """Raise a ``LookupError``, or log that the ``default`` tier is used, the first time."""
        if self._raises:
            names = ", ".join(map(repr, self._known))
            known = f"the tiers are {names}" if names else "tiers= knows none of that name"
            raise LookupError(f"there is no tier {name!r}: {known}")
        if not self._warned:
            self._warned = True
            names = f" The tiers are {', '.join(self._known)}." if self._known else ""
            _log.warning("There is no tier %r: %r is used for it.%s", name, default, names)
