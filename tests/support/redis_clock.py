"""The wall clock of a server or another process, moved by the test."""

from __future__ import annotations

import atexit
import functools
import mmap
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SHIM = Path(__file__).parent / "shims" / "moved_time.rs"
_RUNNING = -(2**63)
_FROZEN, _OFFSET = 0, 1


class MissingError(RuntimeError):
    """What a test needs is not on this machine; says what."""


@functools.cache
def moved_time_library() -> Path:
    """Build the library that is preloaded, once in a process. ``MissingError`` where it cannot be."""
    if not sys.platform.startswith("linux"):
        raise MissingError("a clock is moved by LD_PRELOAD, which is Linux's")
    rustc = shutil.which("rustc")
    if rustc is None:
        raise MissingError("rustc is not on PATH; it builds the library that moves a clock")
    folder = tempfile.mkdtemp(prefix="moved-time-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    library = Path(folder, "libmoved_time.so")
    options = ["--edition", "2021", "--crate-type", "cdylib", "-O", "-C", "panic=abort"]
    built = subprocess.run(
        [rustc, *options, "-o", str(library), str(SHIM)], capture_output=True, text=True
    )
    if built.returncode != 0:
        raise RuntimeError(f"{SHIM.name} does not build:\n{built.stderr}")
    return library


class MovedClock:
    """The wall clock that a process started with ``environment`` sees.

    It runs with the real time until the first ``set`` or ``advance``, and stands still from then
    on. What is written is seen by that process's next look at the clock. Other clocks (monotonic,
    CPU) are never moved, so that the process's own timers go on.
    """

    def __init__(self, folder: Path) -> None:
        library = moved_time_library()
        path = folder / "moved-time"
        path.write_bytes(bytes(16))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 16)
        # A whole word is stored at once: the other process never reads half a time.
        self._words = memoryview(self._page).cast("q")
        self._words[_FROZEN] = _RUNNING
        self.environment = {"LD_PRELOAD": str(library), "MOVED_TIME_FILE": str(path)}

    @property
    def micros(self) -> int:
        """The Unix time the process sees, in microseconds."""
        frozen = self._words[_FROZEN]
        return frozen if frozen != _RUNNING else time.time_ns() // 1_000 + self._words[_OFFSET]

    @micros.setter
    def micros(self, micros: int) -> None:
        self._words[_FROZEN] = micros

    def set(self, seconds: float) -> None:
        """Stand still at this Unix time, rounded to the microsecond."""
        self.micros = round(seconds * 1_000_000)

    def advance(self, seconds: float) -> None:
        """Stand still ``seconds`` after what the clock shows now; a negative number goes back."""
        self.micros += round(seconds * 1_000_000)

    def run(self, offset_seconds: float = 0.0) -> None:
        """Run with the real time again, ``offset_seconds`` ahead of it."""
        self._words[_OFFSET] = round(offset_seconds * 1_000_000)
        self._words[_FROZEN] = _RUNNING

    def close(self) -> None:
        """Let go of the file; the process keeps the time it sees."""
        self._words.release()
        self._page.close()
