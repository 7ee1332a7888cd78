"""What the log says of servers; the same at most once a minute."""

from __future__ import annotations

import logging
from math import inf
from time import monotonic

from sluicegate._core import RedisScripts
from sluicegate.errors import StoreError

__all__ = ["Complaint", "log_all", "log_notices"]

_log = logging.getLogger("sluicegate")
_SILENCE = 60.0


def log_notices(more: str | None = None) -> None:
    """Log what was noticed on connections, and ``more`` unless that was said a moment ago."""
    log_all(RedisScripts.notices(more))


def log_all(notices: list[str]) -> None:
    """Log what was noticed."""
    for notice in notices:
        _log.warning(notice)


class Complaint:
    """Says once a minute that a server does not do its part, in whatever words."""

    __slots__ = ("_said_at",)

    def __init__(self) -> None:
        self._said_at = -inf

    def make(self, what: str, error: StoreError) -> None:
        """``what`` happens since Redis said ``error``, or nothing."""
        now = monotonic()
        if now - self._said_at >= _SILENCE:
            self._said_at = now
            log_notices(f"{what} (said once a minute): {error}")
