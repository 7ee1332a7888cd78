"""What a call and its circuit tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from sluicegate.breaker.config import CircuitState

__all__ = ["UNCOUNTED", "Admission", "Refused", "Result"]


class Result(IntEnum):
    """What a call tells about the service behind the circuit."""

    NOTHING = -1
    FAILURE = 0
    SUCCESS = 1


@dataclass(frozen=True)
class Admission:
    """A call that was let through, with the generation of the circuit that did so."""

    key: str
    ticket: str
    generation: int
    state: CircuitState
    """Of that generation."""
    changed: bool
    """The generation began with it."""
    here: bool = True
    """Admitted by this process, not by a server."""


@dataclass(frozen=True)
class Refused:
    """A call that was not let through."""

    seconds: float
    """Until one may be: when the circuit's time is over, or the first probe's lease."""
    state: CircuitState


#: Of a call while limits are off: nobody asked the circuit.
UNCOUNTED = Admission("", "", 0, CircuitState.CLOSED, changed=False)
