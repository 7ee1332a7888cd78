"""Those regular expressions of routes that patterns can say, or nearly so."""

from __future__ import annotations

import re
from typing import NamedTuple

from sluicegate.importers.nginx.paths import Path
from sluicegate.importers.nginx.regex import paths_of as paths_of_nginx

__all__ = ["Found", "paths_of"]

_NAMED = re.compile(r"\(\?P?<\w+>")
#: A whole segment that may be anything: so OpenAPI's parameters are written.
_ANYTHING = re.compile(r"\[\^[#?]*/[#?]*\]\+")
#: A whole segment of some characters.
_SOME = re.compile(r"(?<=/)\(?(\\[dw]\+|\[[\w\\.-]+\](?:\+|\{[0-9,]+\}))\)?(?=/|\$|\(/|$)")


class Found(NamedTuple):
    """What a regular expression matches.

    Attributes:
        widened: expressions of a segment for which any will do here.
        is_cut: whether longer names of the last segment match as well.
    """

    paths: tuple[Path, ...]
    widened: tuple[str, ...]
    is_cut: bool


def paths_of(source: str) -> Found | None:
    """The paths that match; Kong looks from the beginning. ``None`` if no pattern can say it."""
    text = _ANYTHING.sub("[^/]+", _NAMED.sub("(", source))
    widened = tuple(found[1] for found in _SOME.finditer(text))
    text = _SOME.sub("[^/]+", text)
    read = paths_of_nginx(f"^{text.removeprefix('^')}", ignores_case=False)
    if read is None:
        return None
    return Found(tuple(path for path, _ in read), widened, any(is_cut for _, is_cut in read))
