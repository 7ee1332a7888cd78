"""What a policy counts of itself."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PolicyStatistics"]


class PolicyStatistics(NamedTuple):
    """How often a policy's file has been read again in this process.

    Attributes:
        reloads: how often what it says has come into force.
        failed_reloads: how many versions of it were wrong, so that the policy stayed as it was.
        loaded_at: the Unix time at which what is in force was read; ``None`` without a file.
    """

    reloads: int = 0
    failed_reloads: int = 0
    loaded_at: float | None = None
