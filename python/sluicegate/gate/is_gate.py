"""Whether something is a gate, wherever it keeps its state."""

from __future__ import annotations

import sys

from sluicegate._core import Gate

__all__ = ["is_gate"]


def is_gate(given: object) -> bool:
    """Whether it is a :class:`~sluicegate.Gate`, in memory, in a zone or in Redis."""
    if isinstance(given, Gate):
        return True
    # Where these are not imported, nobody can have made one.
    elsewhere = (sys.modules.get(f"sluicegate.{place}.gate") for place in ("redis", "shared"))
    return any(module is not None and isinstance(given, module.Gate) for module in elsewhere)
