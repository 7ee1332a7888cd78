"""A request's path and host as rules look at them, however they were spelt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

__all__ = ["DOTS", "has_dots", "host_of", "led_to", "segments_of"]

DOTS: Final = frozenset((".", ".."))


def segments_of(path: str) -> list[str]:
    """What stands between the slashes: repeated ones count once, and one at the end does not.

    ``path`` is decoded, without the root path.
    """
    return [segment for segment in path.split("/") if segment]


def has_dots(segments: Sequence[str]) -> bool:
    """Whether one of them is ``.`` or ``..``."""
    return not DOTS.isdisjoint(segments)


def led_to(segments: Sequence[str]) -> list[str]:
    """Where the segments lead once ``.`` and ``..`` are resolved (RFC 3986, 5.2.4)."""
    found: list[str] = []
    for segment in segments:
        if segment == "..":
            del found[-1:]
        elif segment != ".":
            found.append(segment)
    return found


def host_of(host: str) -> str:
    """The host of a ``Host`` field: in lower case, without its port and the root's dot."""
    name = host.strip().lower()
    if name.startswith("["):  # an IPv6 address has colons of its own
        return name.partition("]")[0] + "]"
    return name.partition(":")[0].removesuffix(".")
