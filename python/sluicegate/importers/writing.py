"""Writing files whole: whoever reads one finds the old text or the new one, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

__all__ = ["write_all"]

_MODE = 0o666


def write_all(texts: Mapping[Path, str]) -> None:
    """Write each text to its file. All are written beside their places before the first is put there.

    Raises ``ValueError`` for a file that cannot be written; then none has been changed, unless a
    directory was taken away meanwhile.
    """
    written: list[tuple[str, Path]] = []
    try:
        for path, text in texts.items():
            # Of a link the file that it leads to, so that /dev/stdout stays what it is.
            target = path.resolve()
            if target.exists() and not target.is_file():
                raise ValueError(f"{path} must be a file that can be replaced")
            written.append((_beside(target, text), target))
        for temporary, target in written:
            os.replace(temporary, target)
    except OSError as error:
        names = ", ".join(map(str, texts))
        raise ValueError(f"{names} must be writable: {error.strerror}") from None
    finally:
        for temporary, _ in written:
            with suppress(FileNotFoundError):
                os.unlink(temporary)


def _beside(path: Path, text: str) -> str:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(handle, "w", encoding="utf-8", errors="replace") as file:
            os.fchmod(handle, _mode(path))
            file.write(text)
            file.flush()
            os.fsync(handle)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def _mode(path: Path) -> int:
    """That of the file that is there; else what a new file has."""
    if path.exists():
        return path.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return _MODE & ~mask
