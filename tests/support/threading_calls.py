"""Calls by several threads at once."""

from __future__ import annotations

import threading
from collections.abc import Callable


def in_threads(work: list[Callable[[], object]]) -> None:
    """Do all of it, each in a thread of its own, and wait until all have ended."""
    threads = [threading.Thread(target=each) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
