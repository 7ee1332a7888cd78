"""What there is in a zone's file, as the command line and its JSON tell it."""

from __future__ import annotations

import os
from typing import TypedDict

from sluicegate.errors import StoreError

__all__ = ["FoundLimit", "FoundZone", "found_in"]


class FoundLimit(TypedDict):
    """A limit of a zone.

    Attributes:
        name: as it was declared, or what the zone keeps of it.
        algorithm: ``fixed_window``, ``segmented_window``, ``sliding_counter``, ``token_bucket`` or
            ``permits``.
        window_seconds: the window, or a lease; ``None`` for a bucket.
        largest: the largest limit that its layout holds; ``None`` where that is no matter of layout.
        live: keys that count.
        idle: keys whose whole quota is back, so that others may have their slots.
        overflowed: calls for which there was no slot, since the zone was made.
    """

    name: str
    algorithm: str
    window_seconds: float | None
    largest: int | None
    live: int
    idle: int
    overflowed: int


class FoundZone(TypedDict):
    """A zone's file.

    Attributes:
        path: where it is.
        size_bytes: its length.
        slots: keys that it has room for.
        used: slots that are not free.
        age_seconds: since it was made.
        owner: the user whose it is, by name, or by number where there is no name.
        mode: its permissions in octal digits, ``"0600"``.
        writable_by: ``"owner"``, ``"group"`` too, or ``"everybody"``.
        is_of_this_boot: whether it was made since this machine has started. If not, it begins
            afresh when it is opened.
        is_manual: whether a :class:`~sluicegate.testing.ManualClock` counts in it, as tests do. Then
            nobody else knows which keys are live.
        limits: the limits in it, by name.
    """

    path: str
    size_bytes: int
    slots: int
    used: int
    age_seconds: float
    owner: str
    mode: str
    writable_by: str
    is_of_this_boot: bool
    is_manual: bool
    limits: list[FoundLimit]


def found_in(path: str) -> FoundZone:
    """Look at the zone at ``path``, which is only read.

    Raises ``StoreError`` for what is no zone, or cannot be read, and ``ValueError`` where there are
    no zones at all.
    """
    from sluicegate import _core

    inspect = getattr(_core, "inspect_zone", None)
    if inspect is None:
        raise ValueError("zones need Linux: on this system there are none")
    if os.path.isabs(path) and not os.path.lexists(path):
        raise StoreError(f"there is no zone {path}: the first process that opens it makes it")
    found = inspect(path)
    mode = found["mode"]
    limits = sorted(found["limits"], key=lambda limit: (limit["name"], limit["algorithm"]))
    return {
        "path": str(found["path"]),
        "size_bytes": found["size_bytes"],
        "slots": found["slots"],
        "used": found["used"],
        "age_seconds": found["age_seconds"],
        "owner": _user(found["owner"]),
        "mode": f"{mode:04o}",
        "writable_by": _writers(mode),
        "is_of_this_boot": found["is_of_this_boot"],
        "is_manual": found["is_manual"],
        "limits": limits,
    }


def _user(number: int) -> str:
    from pwd import getpwuid

    try:
        return getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _writers(mode: int) -> str:
    if mode & 0o002:
        return "everybody"
    return "group" if mode & 0o020 else "owner"
