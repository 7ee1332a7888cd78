from __future__ import annotations

from benches.peers.library import Call, Contestant, Library
from call_gate import CallGate
from call_gate.errors import ThrottlingError
from call_gate.storages.base_storage import get_global_manager

FRAMES = 60  # as many as our segments

# The process that has its locks: started before a fork, and ended with this one.
manager = get_global_manager()


def frames(limit: int, window: int) -> Call:
    gate = CallGate("bench", window, window / FRAMES, gate_limit=limit)

    def admitted(key: str) -> bool:
        try:
            gate.update(throw=True)
        except ThrottlingError:
            return False
        return True

    return admitted


LIBRARY = Library(
    "call-gate",
    [Contestant("CallGate", "segments", frames, keyed=False, calls=100)],
    distribution="call-gate",
    close=manager.shutdown,
)
