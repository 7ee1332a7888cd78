"""Where a zone is, from its URL: a file, and how it is made if it is not there yet."""

from __future__ import annotations

import os
import re
from typing import NamedTuple, NoReturn
from urllib.parse import unquote

from sluicegate._zone.own_directory import own_directory

__all__ = ["SCHEME", "Place", "place_of"]

SCHEME = "shared:"
_RIGHT = "shared:///run/app/limits.zone?size=10m or shared:name"
_OPTIONS = ("size", "mode", "owner")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SIZE = re.compile(r"([0-9]{1,15})([kmg]?)", re.IGNORECASE)
_SHIFTS = {"": 0, "k": 10, "m": 20, "g": 30}
_LARGEST = 64 * 2**30  # as in the core
_FOR_THE_OWNER = 0o600
_FOR_ANYBODY = 0o666
_LARGEST_ID = 2**32 - 2


class Place(NamedTuple):
    """What a URL says. ``None`` is for what it leaves to the file that is there, or to the default.

    Attributes:
        path: the file, absolute.
        size: its length in bytes.
        mode: who may read and write it, as of ``chmod``.
        owner: the number of the user whose file it is.
    """

    path: str
    size: int | None = None
    mode: int | None = None
    owner: int | None = None


def place_of(url: str, make: bool = True) -> Place:
    """Read ``shared:///absolute/path?size=10m&mode=660&owner=app`` or ``shared:name?size=10m``.

    A bare name is a file in a directory that only this user can write: under ``/dev/shm`` where there
    is one, else in the directory for temporary files. It is made if need be, unless a zone is only
    to be looked at.

    Raises ``ValueError`` for what is neither, with the reason, and ``StoreError`` when the
    directory of a bare name cannot be trusted.
    """
    if url[: len(SCHEME)].lower() != SCHEME:
        _refuse(url, "its scheme is not shared:")
    if not url.isprintable() or "#" in url or " " in url:
        _refuse(
            url, "it has a space, a '#' or a character that cannot be printed: percent-encode it"
        )
    where, _, query = url[len(SCHEME) :].partition("?")
    options = _options(url, query)
    size = None if "size" not in options else _size(url, options["size"])
    if "/" not in where:
        return Place(_named(url, where, options, make), size)
    mode = None if "mode" not in options else _mode(url, options["mode"])
    owner = None if "owner" not in options else _owner(url, options["owner"])
    return Place(_path(url, where), size, mode, owner)


def _refuse(url: str, why: str) -> NoReturn:
    raise ValueError(f"store must be a URL such as {_RIGHT}, got {url!r}: {why}")


def _options(url: str, query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, equals, value = pair.partition("=")
        if name not in _OPTIONS:
            _refuse(url, f"{name!r} is none of its options {', '.join(_OPTIONS)}")
        if name in found:
            _refuse(url, f"it has {name}= twice")
        if not equals or not value:
            _refuse(url, f"{name}= has no value")
        found[name] = unquote(value)
    return found


def _named(url: str, name: str, options: dict[str, str], make: bool) -> str:
    if not _NAME.fullmatch(name):
        _refuse(
            url,
            "a zone's path is absolute, after shared://; a bare name has 1 to 64 letters, digits and "
            "_.- and begins with a letter or a digit",
        )
    for option in ("mode", "owner"):
        if option in options:
            _refuse(
                url,
                f"{option}= is for shared:///path: a bare name is in a directory that only its "
                "user can read",
            )
    return os.path.join(own_directory(make), name)


def _path(url: str, where: str) -> str:
    if not where.startswith("///") or where.startswith("////"):
        _refuse(url, "its path must be absolute, after shared://")
    path = os.fsdecode(
        unquote(where[2:], errors="surrogateescape").encode("utf-8", "surrogateescape")
    )
    if "\0" in path:
        _refuse(url, "a path has no zero byte")
    if path.endswith(("/", "/.", "/..")):
        _refuse(url, "its path must be a file's, not a directory's")
    return path


def _size(url: str, text: str) -> int:
    """Bytes."""
    found = _SIZE.fullmatch(text)
    size = 0 if found is None else int(found[1]) << _SHIFTS[found[2].lower()]
    if not 1 <= size <= _LARGEST:
        _refuse(url, f"size= must be bytes from 1 to 64g, as in size=512k, 10m or 1g, got {text!r}")
    return size


def _mode(url: str, text: str) -> int:
    mode = int(text, 8) if re.fullmatch(r"0?[0-7]{3}", text) else 0
    if mode & _FOR_THE_OWNER != _FOR_THE_OWNER or mode & ~_FOR_ANYBODY:
        _refuse(
            url,
            "mode= must let the owner read and write, and nobody execute, as in mode=600, 640, 660 "
            f"or 666, got {text!r}",
        )
    return mode


def _owner(url: str, text: str) -> int:
    """The number of a user, who may be given by name."""
    if re.fullmatch("[0-9]{1,10}", text):
        if int(text) <= _LARGEST_ID:
            return int(text)
        _refuse(url, f"owner= must be a user's name or number, up to {_LARGEST_ID}, got {text!r}")
    from pwd import getpwnam

    try:
        return getpwnam(text).pw_uid
    except (KeyError, ValueError):
        _refuse(url, f"owner= must be a user of this machine, by name or number, got {text!r}")
