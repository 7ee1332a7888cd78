"""Waits for what another thread, process or server does."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    condition: Callable[[], object], what: str, timeout: float = 20.0, pause: float = 0.01
) -> None:
    """Ask until ``condition()`` is true; ``TimeoutError`` after ``timeout`` seconds."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {timeout} s: {what}")
        time.sleep(pause)
