"""The text of a file, and what is told where there is none."""

from __future__ import annotations

import os
import stat
from typing import Final

from sluicegate.errors import PolicyFileError
from sluicegate.policy.document.text.from_toml import read_toml
from sluicegate.policy.document.text.from_yaml import read_yaml
from sluicegate.policy.document.text.nodes import UNKNOWN, Node, words_of
from sluicegate.policy.document.text.problems import Problems

__all__ = ["check_path", "read_bytes", "read_nodes"]

_MOST_BYTES: Final = 10 * 2**20
_FORMATS: Final = {".toml": read_toml, ".yaml": read_yaml, ".yml": read_yaml}


def check_path(path: object) -> str:
    """The path as a text that a message can show, of a name that says the format.

    Raises ``TypeError`` for what is no path, and :class:`~sluicegate.errors.PolicyFileError`.
    """
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise TypeError(f"path must be a str or a Path, such as 'limits.toml', got {path!r}")
    name = os.fspath(path)
    if _suffix(name) not in _FORMATS:
        raise _unreadable(name, f"its name must end with one of {', '.join(_FORMATS)}")
    return name


def read_bytes(where: str, path: str) -> bytes:
    """What is in the file now, which errors call ``path``.

    Raises :class:`~sluicegate.errors.PolicyFileError`.
    """
    try:
        # Opening a pipe would wait for whoever writes.
        with open(where, "rb", opener=_without_waiting) as file:
            kind = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(kind):
                raise _unreadable(
                    path, "it is no file" if not stat.S_ISDIR(kind) else "it is a directory"
                )
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:  # a ValueError of a path with a zero byte
        if isinstance(error, PolicyFileError):
            raise
        if isinstance(error, IsADirectoryError):
            raise _unreadable(path, "it is a directory") from None
        why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unreadable(path, f"it cannot be read: {why}") from error
    if len(content) > _MOST_BYTES:
        raise _unreadable(path, f"it has more than {_MOST_BYTES:,} bytes, which is no policy")
    return content


def read_nodes(content: bytes, problems: Problems) -> Node | None:
    """The table of a file's content; ``None`` if there are none, which ``problems`` say."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.add(line, f"it must be UTF-8, and byte {error.start} is not: {error.reason}")
        return None
    root = _FORMATS[_suffix(problems.path)](text, problems)
    if root is not None and not isinstance(root.value, dict):
        if root.value is not UNKNOWN:
            problems.add(root.line, f"a policy is a table of keys, got {words_of(root)}")
        return None
    return root


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _unreadable(path: str, why: str) -> PolicyFileError:
    return PolicyFileError(path, [(0, why)])
