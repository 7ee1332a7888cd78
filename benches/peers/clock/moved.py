"""Builds the clock, puts it in front of a process, and moves it from inside."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("moved_clock.rs")
VARIABLE = "LD_PRELOAD"
START = 1_699_999_980
"""Unix time at which the clock starts: the beginning of a minute."""


def built(directory: str) -> Path:
    """The shared library. Raises ``OSError`` or ``CalledProcessError`` where it cannot be built."""
    library = Path(directory) / "libmoved_clock.so"
    options = ["--crate-type=cdylib", "-O", "--edition=2021", "-o", str(library)]
    subprocess.run(["rustc", *options, str(SOURCE)], check=True, stderr=subprocess.DEVNULL)
    return library


class MovedClock:
    """``with MovedClock() as environment``: what a process needs to live by this clock."""

    def __enter__(self) -> dict[str, str]:
        self._directory = tempfile.TemporaryDirectory()
        return {VARIABLE: str(built(self._directory.name))}

    def __exit__(self, *_: object) -> None:
        self._directory.cleanup()


@cache
def preloaded() -> ctypes.CDLL:
    return ctypes.CDLL(os.environ[VARIABLE])


def move_to(seconds: float) -> None:
    """Set all clocks of this process, which ``MovedClock`` must have been put in front of."""
    preloaded().move_clock_to(ctypes.c_int64(START * 1_000_000_000 + round(seconds * 1e9)))
