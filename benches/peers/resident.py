"""Resident memory of this process, from Linux's ``/proc``."""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path


def settled() -> None:
    """Collect garbage, and have the allocator give back what it can."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc only
    if trim is not None:
        trim(0)


def resident() -> int:
    """Bytes in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
