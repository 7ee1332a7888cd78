"""What keys in Redis begin with, unless told."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sluicegate._core import Quota

__all__ = ["prefix_of"]

_LONGEST = 64


def prefix_of(algorithm: str, limit: Any, *window: Any) -> str:
    """Limits of different quotas count apart. They come as a class takes them."""
    is_quota = isinstance(limit, Quota | str) and not window
    quota = _named(Quota(limit)) if is_quota else _given(limit, *window)
    name = f"sluicegate:{algorithm}:{quota}"
    if len(name) > _LONGEST:  # of a zone or a unit with a long name
        digest = sha256(name.encode("utf-8", "replace")).hexdigest()[:20]
        name = f"{name[: _LONGEST - 21]}:{digest}"
    return name


def _named(quota: Quota) -> str:
    unit = "" if quota.unit == "requests" else f" {quota.unit}"
    if quota.zone is None:
        return _given(f"{quota.limit}{unit}", quota.window_seconds)
    period, _, zone = str(quota).partition("/")[2].partition(" in ")
    return f"{quota.limit}{unit}/{period}@{zone}"


def _given(limit: object, window_seconds: object = None) -> str:
    # 60 and 60.0 are the same quota.
    whole = not isinstance(window_seconds, float)
    seconds = str(window_seconds) if whole else f"{window_seconds:.15g}"
    return f"{limit}/{seconds}"
