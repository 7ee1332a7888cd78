"""Characters that cannot be seen: a path that holds one by mistake would never match."""

from __future__ import annotations

from typing import Final

__all__ = ["unseen_in"]

_KINDS: Final = ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")
#: Words of some scripts have the two joiners.
_ALLOWED: Final = " \u200c\u200d"


def unseen_in(text: str) -> str | None:
    """The first character that cannot be seen, but for spaces."""
    if text.isascii() and text.isprintable():
        return None
    from unicodedata import category

    unseen = (char for char in text if char not in _ALLOWED and category(char) in _KINDS)
    return next(unseen, None)
