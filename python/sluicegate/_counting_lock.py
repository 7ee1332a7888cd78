"""One lock for all that is counted: held for moments, and by nobody in a forked child."""

from __future__ import annotations

import os
import threading

__all__ = ["LOCK"]

# Reentrant: a limiter may be garbage collected, and forgotten, while its thread holds it.
LOCK = threading.RLock()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=LOCK.acquire, after_in_parent=LOCK.release, after_in_child=LOCK.release
    )
