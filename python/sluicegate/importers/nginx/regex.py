"""Those regular expressions of locations that a pattern can say."""

from __future__ import annotations

import re
from itertools import product

from sluicegate.importers.nginx.paths import EVERY_PATH, Path, path_of

__all__ = ["paths_of"]

_MOST = 64
_EVERYTHING = re.compile(r"\^?(/?(\(?\.\*\)?\$?)?|\(?\.\+\)?\$?)")
_ANY = "\0"  # stands for a segment
#: What a whole segment may be, an alternative of words, a set of letters, an escaped or plain letter.
_PIECE = re.compile(
    r"(?P<any>\(?\[\^/\]\+\)?)"
    r"|\((?:\?:)?(?P<words>[\w\-/~ ]+(?:\|[\w\-/~ ]+)*)\)"
    r"|\[(?P<set>[\w~]+)\]"
    r"|\\(?P<escaped>[^\w\s])"
    r"|(?P<plain>[\w\-/~ ,:;=@%&!\"'<>#])",
    re.ASCII,
)
#: How it may end: nothing behind it, a segment's end, all below.
_ENDS = {
    "$": (False, False),
    "/?$": (False, False),
    "(/|$)": (True, False),
    "(?:/|$)": (True, False),
    "($|/)": (True, False),
    "(?:$|/)": (True, False),
    "(/.*)?$": (True, False),
    "(?:/.*)?$": (True, False),
}
_OPEN = re.compile(r"(\(?\.\*\)?\$?)?")
_QUANTIFIED = ("?", "*", "+", "{")


def paths_of(source: str, *, ignores_case: bool) -> list[tuple[Path, bool]] | None:
    """The paths that match, and whether longer names of the last segment match as well.

    ``^/v(1|2)/users/[^/]+$`` is two paths. ``None`` if no pattern can say it.
    """
    if _EVERYTHING.fullmatch(source):
        return [(EVERY_PATH, False)]
    if not source.startswith("^/"):
        return None
    alternatives: list[list[str]] = []
    place = 1
    while place < len(source) and source[place:] not in _ENDS and not _is_open(source, place):
        piece = _PIECE.match(source, place)
        if piece is None:
            return None
        behind = source[piece.end() :]
        if behind.startswith(_QUANTIFIED) and behind not in _ENDS:
            return None
        alternatives.append(_choices(piece))
        place = piece.end()
    found: list[tuple[Path, bool]] = []
    for chosen in _every(alternatives):
        text = "".join(chosen)
        if ignores_case and re.search("[A-Za-z]", text):
            return None
        path = _path(text, source[place:])
        if path is None:
            return None
        found.append(path)
    return found or None


def _is_open(source: str, place: int) -> bool:
    """Whether anything may follow from here on."""
    return _OPEN.fullmatch(source, place) is not None


def _choices(piece: re.Match[str]) -> list[str]:
    if piece["any"]:
        return [_ANY]
    if piece["words"]:
        return piece["words"].split("|")
    if piece["set"]:
        return [*piece["set"]]
    return [piece["escaped"] or piece["plain"]]


def _every(alternatives: list[list[str]]) -> list[tuple[str, ...]]:
    count = 1
    for choices in alternatives:
        count *= len(choices)
    return [*product(*alternatives)] if count <= _MOST else []


def _path(text: str, end: str) -> tuple[Path, bool] | None:
    """The path of a text that ends so."""
    rest, is_cut = _ENDS.get(end, (True, not text.endswith("/")))
    segments = text.split("/")
    if is_cut and segments[-1] == _ANY:
        is_cut = False  # which takes all of its segment
    if any(_ANY in segment and segment != _ANY for segment in segments):
        return None
    read = path_of(text.replace(_ANY, "any"), rest=rest)
    if read is None:
        return None
    places = [segment == _ANY for segment in segments if segment]
    chosen = zip(read.segments, places, strict=True)
    return Path(tuple(None if is_any else name for name, is_any in chosen), read.rest), is_cut
