"""Sets of requests that a policy's pattern can name: a host, and a path by its segments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import NamedTuple

__all__ = ["EVERY_PATH", "Path", "Target", "path_of"]

#: In a pattern these mean something else, or a pattern may not have them.
_MEANS_MORE = re.compile(r"[*{}?\x00-\x1f\x7f-\x9f\ud800-\udfff]|^<.*>$|%[0-9A-Fa-f]{2}|^\.\.?$")


@dataclass(frozen=True)
class Path:
    """All paths of some segments, and with ``rest`` all below.

    A segment that is ``None`` may be any one.
    """

    segments: tuple[str | None, ...]
    rest: bool = False

    def covers(self, other: Path) -> bool:
        """Whether all paths of ``other`` are among its own."""
        own, its = self.segments, other.segments
        if len(own) > len(its) or (not self.rest and (other.rest or len(own) != len(its))):
            return False
        return all(mine is None or mine == theirs for mine, theirs in zip(own, its, strict=False))

    def __and__(self, other: Path) -> Path | None:
        """The paths of both; ``None`` if there are none."""
        if not self.meets(other):
            return None
        pairs = zip_longest(self.segments, other.segments)
        both = tuple(theirs if mine is None else mine for mine, theirs in pairs)
        return Path(both, self.rest and other.rest)

    def meets(self, other: Path) -> bool:
        """Whether any path is of both."""
        own, its = self.segments, other.segments
        if (len(own) > len(its) and not other.rest) or (len(its) > len(own) and not self.rest):
            return False
        for mine, theirs in zip(own, its, strict=False):
            if mine != theirs and mine is not None and theirs is not None:
                return False
        return True

    @property
    def text(self) -> str:
        """As a pattern without a host."""
        parts = [f"{{part{n}}}" if s is None else s for n, s in enumerate(self.segments, 1)]
        return "/" + "/".join([*parts, *(["*"] if self.rest else [])])


EVERY_PATH = Path((), rest=True)


def path_of(text: str, *, rest: bool) -> Path | None:
    """The path, or with ``rest`` all below it too; ``None`` if no pattern can name it."""
    segments = [segment for segment in text.split("/") if segment]
    if not text.startswith("/") or any(map(_MEANS_MORE.search, segments)):
        return None
    if any(segment != segment.strip() for segment in segments):
        return None
    return Path(tuple(segments), rest)


class Target(NamedTuple):
    """Paths at a host, at all hosts below one (``*.example.com``), or at any (``None``)."""

    host: str | None
    path: Path

    def covers(self, other: Target) -> bool:
        """Whether all requests of ``other`` are among its own."""
        return _has_host(self.host, other.host) and self.path.covers(other.path)

    def meets(self, other: Target) -> bool:
        """Whether any request is of both."""
        has_both = _has_host(self.host, other.host) or _has_host(other.host, self.host)
        return has_both and self.path.meets(other.path)

    @property
    def text(self) -> str:
        """As a pattern."""
        if self.host is not None:
            return f"//{self.host}{self.path.text}"
        return "*" if self.path == EVERY_PATH else self.path.text


def _has_host(wide: str | None, narrow: str | None) -> bool:
    if wide is None or wide == narrow:
        return True
    return narrow is not None and wide.startswith("*.") and narrow.endswith(wide[1:])
