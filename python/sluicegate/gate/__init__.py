"""Several limits that decide together: :class:`Gate`, :class:`Limit`, :class:`Reservation`."""

from sluicegate._core import GateDecision
from sluicegate.gate.gate import Gate
from sluicegate.gate.limit import Limit

__all__ = ["Gate", "GateDecision", "Limit"]
