"""Whether one pattern matches all that another matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.policy.rules.pattern import Pattern

__all__ = ["covers"]


def covers(wide: Pattern, narrow: Pattern) -> bool:
    """Whether every request that matches ``narrow`` matches ``wide``. Exact, for any two patterns."""
    return (
        _covers_path(wide, narrow)
        and _covers_methods(wide.methods, narrow.methods)
        and _covers_host(wide.host, narrow.host)
    )


def _covers_path(wide: Pattern, narrow: Pattern) -> bool:
    own, other = wide.segments, narrow.segments
    if wide.rest:
        if len(own) > len(other):
            return False
    elif narrow.rest or len(own) != len(other):
        return False
    return all(mine is None or mine == its for mine, its in zip(own, other, strict=False))


def _covers_methods(wide: frozenset[str] | None, narrow: frozenset[str] | None) -> bool:
    return wide is None or (narrow is not None and narrow <= wide)


def _covers_host(wide: str | None, narrow: str | None) -> bool:
    if wide is None or wide == narrow:
        return True
    # '*.example.com' has those below 'a.example.com', and '*.a.example.com', but not 'example.com'.
    return narrow is not None and wide.startswith("*.") and narrow.endswith(wide[1:])
