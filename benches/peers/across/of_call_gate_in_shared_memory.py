from __future__ import annotations

from collections.abc import Callable

from benches.peers.across import Place, Way
from benches.peers.libraries.of_call_gate import FRAMES
from benches.peers.settings import HOUR
from call_gate import CallGate
from call_gate.errors import ThrottlingError


def prepare(place: Place, limit: int) -> Callable[[], Callable[[], bool]]:
    # Its processes have to be forked after this: locks are known to them by inheritance.
    gate = CallGate(place.folder.name, HOUR, HOUR / FRAMES, gate_limit=limit, storage="shared")

    def admitted() -> bool:
        try:
            gate.update(throw=True)
        except ThrottlingError:
            return False
        return True

    return lambda: admitted


WAY = Way("call-gate", "CallGate, shared memory", "segments", prepare)
