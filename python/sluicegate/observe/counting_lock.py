"""One lock for all that is counted: held for moments, and by nobody in a forked child."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

__all__ = ["LOCK"]

# Reentrant: a limiter may be garbage collected, and forgotten, while its thread holds it.
LOCK = threading.RLock()


def _release() -> None:
    # Hooks that are registered while a fork is under way, by an import, see only its end.
    with suppress(RuntimeError):
        LOCK.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=LOCK.acquire, after_in_parent=_release, after_in_child=_release)
