"""What a limiter in Redis has done in this process."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["RedisStatistics"]


@dataclass(frozen=True)
class RedisStatistics:
    """What a limiter has done in this process since it was made. A call counts once.

    Attributes:
        admitted: calls that were admitted, by whomever.
        refused: calls that were refused, by whomever.
        errors: calls that the server did not decide.
        timeouts: those of them that it did not answer in time.
        local: calls that were decided in this process instead.
        remembered: calls refused without asking, since the server had refused the key before.
        would_have_refused: calls that a limit of a gate would have refused, which only watches.
    """

    admitted: int
    refused: int
    errors: int
    timeouts: int
    local: int
    remembered: int
    would_have_refused: int = 0
