"""What a gate has done since it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GateStatistics"]


class GateStatistics(NamedTuple):
    """Calls of a gate, and what each of its limits did. Calls under ``limits_off`` are not counted.

    Attributes:
        admitted: calls that were admitted.
        refused: calls that one limit or several refused.
        limits: by name, the statistics of each limit. A call that another limit refused counts for
            nobody else; ``would_have_refused`` counts for those that only watch.
    """

    admitted: int
    refused: int
    limits: Mapping[str, Any]
