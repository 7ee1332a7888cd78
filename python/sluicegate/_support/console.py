"""What the command line prints tables on."""

from __future__ import annotations

import sys
from io import TextIOWrapper

from rich.console import Console

__all__ = ["standard_output"]


def standard_output() -> Console:
    """Standard output; what comes from a file is text, never markup or emoji codes."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    wide = None if sys.stdout.isatty() else 120
    return Console(width=wide, markup=False, emoji=False, highlight=False)
