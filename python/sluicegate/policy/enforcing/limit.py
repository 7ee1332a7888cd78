"""One limit that may apply to a request: of a rule, or of the client's tier."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sluicegate._support.arguments import whole
from sluicegate.policy.gates.tier import MOST_UNITS

if TYPE_CHECKING:
    from sluicegate._core import Decision, Quota
    from sluicegate.policy.enforcing.costs import CostOf
    from sluicegate.policy.enforcing.keys import KeyOf

__all__ = ["AppliedLimit", "Counts", "Hold"]

#: Which requests stay spent, by their status; a function says how many units.
Counts = Literal["all", "failures", "successes"] | Callable[[int], Any]

_FIRST_FAILURE = 400


class Hold(NamedTuple):
    """How a limit holds requests instead of refusing them.

    Attributes:
        interval: seconds that a unit takes.
        undelayed: units above the rate that are served at once.
    """

    interval: float
    undelayed: int

    def seconds(self, decision: Decision, cost: int) -> float:
        """Until the slot of a request that was admitted: when all before it has been served.

        The bucket is full again when that and its own cost is.
        """
        wait = decision.reset_after - (cost + self.undelayed) * self.interval
        return max(0.0, wait)


class AppliedLimit(NamedTuple):
    """A limit, as a request is counted by it.

    Attributes:
        name: in its gate.
        told_as: in the header fields.
        by: what its gate calls its key.
        key: gives the key of a request.
        cost: what requests cost, in whichever units.
        unit: what it counts.
        is_only_unit: whether its rule or tier counts nothing else, beside permits.
        sets: of header fields that tell of it.
        answer: what answers those that it refuses; ``None``: what the policy says.
    """

    name: str
    told_as: str
    quota: Quota
    by: str
    key: KeyOf
    cost: CostOf
    unit: str
    is_only_unit: bool
    sets: tuple[str, ...]
    is_shadow: bool = False
    counts: Counts = "all"
    hold: Hold | None = None
    answer: Any = None

    def used(self, status: int, spent: int) -> int | None:
        """How much of what was ``spent`` on a request stays so; ``None``: all of it.

        Raises what a function of the status does, and ``TypeError`` or ``ValueError`` unless it says a
        number of units.
        """
        if spent == 0 or self.counts == "all":
            return None
        if callable(self.counts):
            return whole("what counts returns", self.counts(status), 0, MOST_UNITS)
        stays = (status >= _FIRST_FAILURE) == (self.counts == "failures")
        return None if stays else 0
