"""Whether something is a gate, wherever it keeps its state."""

from __future__ import annotations

import sys

from sluicegate._core import Gate

__all__ = ["is_gate"]


def is_gate(given: object) -> bool:
    """Whether it is a :class:`~sluicegate.Gate`, in memory or in Redis."""
    in_redis = sys.modules.get("sluicegate.redis.gate")  # else nobody can have made one
    return isinstance(given, Gate if in_redis is None else (Gate, in_redis.Gate))
