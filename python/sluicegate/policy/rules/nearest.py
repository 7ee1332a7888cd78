"""What somebody may have meant who has mistyped a name."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["nearest"]


def nearest(word: str, known: Iterable[str]) -> str:
    """``: did you mean 'free'?``, or nothing where no known name is like the ``word``."""
    from difflib import get_close_matches

    # Of a name by its case alone the ratio may be low.
    by_folded = {name.casefold(): name for name in known}
    found = get_close_matches(word[:100].casefold(), by_folded, 1)
    return f": did you mean {by_folded[found[0]]!r}?" if found else ""
