"""The directory of zones that have no path but a name: only this user can write or read it."""

from __future__ import annotations

import os
import stat
import tempfile

from sluicegate.errors import StoreError

__all__ = ["own_directory"]

_IN_MEMORY = "/dev/shm"
_WRITABLE = stat.S_IWGRP | stat.S_IWOTH


def own_directory(make: bool = True) -> str:
    """Its path. Made if it is not there, with mode 0700, unless it is only to be looked at.

    Raises :class:`~sluicegate.errors.StoreError` when somebody else's thing is in its place.
    """
    parent = _IN_MEMORY if os.path.isdir(_IN_MEMORY) else tempfile.gettempdir()
    user = os.geteuid()
    path = os.path.join(parent, f"sluicegate-{user}")
    try:
        if make:
            os.mkdir(path, 0o700)
        elif not os.path.lexists(path):
            return path
    except FileExistsError:
        pass
    except OSError as error:
        raise _unfit(path, f"it cannot be made ({error.strerror})") from error
    _check_parent(path, parent, user)
    found = os.lstat(path)  # of a link itself, which others may have put there
    if not stat.S_ISDIR(found.st_mode):
        raise _unfit(path, "it is no directory")
    if found.st_uid != user:
        raise _unfit(path, f"it belongs to user {found.st_uid}, and this process is of user {user}")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise _unfit(
            path, f"its mode is {stat.S_IMODE(found.st_mode):04o}, and must be 0700: chmod it"
        )
    return path


def _check_parent(path: str, parent: str, user: int) -> None:
    """Nobody else may be able to put another directory in its place."""
    found = os.stat(parent)
    if found.st_mode & _WRITABLE and not found.st_mode & stat.S_ISVTX:
        raise _unfit(path, f"others can replace it, as {parent} is writable and has no sticky bit")
    if found.st_uid not in (0, user):
        raise _unfit(path, f"{parent} belongs to user {found.st_uid}")


def _unfit(path: str, why: str) -> StoreError:
    return StoreError(
        f"{path} cannot hold zones: {why}. Or give a zone a path: shared:///run/app/limits.zone"
    )
