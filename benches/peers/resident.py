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
    """Bytes of data in memory: without code, which comes in as it is first run."""
    gc.collect()
    _, pages, shared = Path("/proc/self/statm").read_text().split()[:3]
    return (int(pages) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def filled_holes() -> list[bytes]:
    """Some 4 MB of small objects, to be kept while measuring.

    What was freed before leaves holes in the heap; clients that fit into them would
    seem to cost nothing.
    """
    return [bytes(size) for size in range(1, 512, 8) for _ in range(250)]
