"""What keys in Redis begin with, unless told."""

from __future__ import annotations

__all__ = ["prefix_of"]


def prefix_of(algorithm: str, limit: int, window_seconds: float) -> str:
    """Limits of different quotas count apart."""
    # 60 and 60.0 are the same quota.
    whole = not isinstance(window_seconds, float)
    seconds = str(window_seconds) if whole else f"{window_seconds:.15g}"
    return f"sluicegate:{algorithm}:{limit}/{seconds}"
