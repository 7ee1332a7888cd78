"""A label's values, bounded: the first hundred names, then ``other``."""

from __future__ import annotations

from sluicegate._support import fork

__all__ = ["MOST", "OTHER", "BoundedLabels"]

MOST = 100
OTHER = "other"
_LONGEST = 200


class BoundedLabels:
    """The values of one label. The empty name and ``other`` do not count.

    Args:
        what: how the argument is called in errors.
        most: names that are told apart.
    """

    __slots__ = ("_lock", "_most", "_names", "_what")

    def __init__(self, what: str = "endpoint", most: int = MOST) -> None:
        self._lock = fork.new_lock()
        self._what = what
        self._most = most + 2
        self._names = {"", OTHER}

    def label(self, name: str) -> str:
        """The name itself, or ``other``: when there are too many, or it is over 200 characters."""
        if not isinstance(name, str):
            kind = type(name).__name__
            raise TypeError(f"{self._what} must be a str, got {kind} {name!r}")
        if name in self._names:
            return name
        if len(self._names) >= self._most or len(name) > _LONGEST or not _is_unicode(name):
            return OTHER
        with self._lock:
            if len(self._names) >= self._most:
                return OTHER
            self._names.add(name)
        return name


def _is_unicode(name: str) -> bool:
    """Whether it can be written as UTF-8: a lone surrogate would break the whole scrape."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
