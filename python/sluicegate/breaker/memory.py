"""Circuits in this process. Times are in microseconds, as in the scripts for Redis."""

from __future__ import annotations

import time
from collections.abc import Callable

from sluicegate._support import fork
from sluicegate._support.tenths import TENTHS, Tenths
from sluicegate.breaker.calls import Admission, Refused, Result
from sluicegate.breaker.config import CircuitConfig, CircuitState

__all__ = ["Circuits", "Ticks", "parts_per_million"]

_AN_HOUR = 3_600_000_000
# Fewer circuits than this are not worth looking through for forgotten ones.
_FEW = 64


def parts_per_million(rate: float) -> int:
    """A share as an integer."""
    return round(rate * 1_000_000)


class Ticks:
    """A configuration's times, in microseconds."""

    __slots__ = ("keep", "lease", "open_for", "slice")

    def __init__(self, config: CircuitConfig) -> None:
        self.open_for = round(config.timeout * 1e6)
        self.lease = round(config.probe_lease * 1e6)
        self.slice = max(1, round(config.window * 1e6 / TENTHS))
        # A circuit that nobody has called for so long is closed.
        self.keep = _AN_HOUR + self.open_for + self.lease + self.slice * TENTHS


class _Circuit:
    __slots__ = (
        "asked",
        "generation",
        "inside",
        "leases",
        "state",
        "succeeded",
        "touched",
        "until",
        "window",
    )

    def __init__(self, generation: int, now: int) -> None:
        self.inside = self.asked = 0
        self.touched = now
        self.become(CircuitState.CLOSED, generation)

    def become(self, state: CircuitState, generation: int, until: int = 0) -> None:
        """Begin a generation."""
        self.state, self.generation, self.until = state, generation, until
        self.succeeded = 0
        self.leases: dict[str, int] = {}
        #: Calls, and failures.
        self.window = Tenths()

    def due(self, now: int) -> bool:
        """Whether the next call is a probe, the first."""
        return self.state is CircuitState.OPEN and self.until <= now

    def forgettable(self, number: int, since: int) -> bool:
        """Whether it cannot be told from a new one, or nobody has called since then."""
        if self.inside:
            return False
        empty = self.window.is_over(number)
        return self.touched <= since or (self.state is CircuitState.CLOSED and empty)


class Circuits:
    """The circuits of one breaker, by key. Those that cannot be told from new ones go."""

    def __init__(self, config: CircuitConfig, clock: Callable[[], float] | None) -> None:
        self._config, self._ticks = config, Ticks(config)
        self._rate = parts_per_million(config.failure_rate)
        self._time = time.monotonic if clock is None else clock
        self._circuits: dict[str, _Circuit] = {}
        self._generations = 0
        self._look_at = _FEW
        self._lock = fork.new_lock()

    def enter(self, key: str, ticket: str) -> Admission | Refused:
        """Let a call through, or not."""
        with self._lock:
            now = self._now()
            circuit = self._circuits.get(key) or self._new(key, now)
            changed = circuit.due(now)
            if changed:
                self._become(circuit, CircuitState.HALF_OPEN)
            wait = self._wait(circuit, now)
            if wait:
                return Refused(wait / 1e6, circuit.state)
            if circuit.state is CircuitState.HALF_OPEN:
                circuit.leases[ticket] = now + self._ticks.lease
            circuit.inside += 1
            circuit.touched = now
            return Admission(key, ticket, circuit.generation, circuit.state, changed)

    def leave(self, admission: Admission, result: Result) -> CircuitState | None:
        """Take a call's result; the state that it leads to, if that is another."""
        with self._lock:
            now = self._now()
            circuit = self._circuits[admission.key]
            circuit.inside -= 1
            circuit.touched = now
            lease = circuit.leases.pop(admission.ticket, 0)
            if result is Result.NOTHING or admission.generation != circuit.generation:
                return None
            failed = result is Result.FAILURE
            if circuit.state is CircuitState.HALF_OPEN:
                return self._probed(circuit, failed, now) if lease > now else None
            return self._counted(circuit, failed, now)

    def state(self, key: str) -> CircuitState:
        """What the next call would meet."""
        with self._lock:
            circuit = self._circuits.get(key)
            if circuit is None:
                return CircuitState.CLOSED
            return CircuitState.HALF_OPEN if circuit.due(self._now()) else circuit.state

    def learn(self, key: str, asked: int, state: CircuitState, wait: int = 0) -> None:
        """Be as a server said that a circuit is, with ``wait`` microseconds of open left.

        ``asked`` numbers the questions: an answer to an earlier one tells nothing new.
        """
        with self._lock:
            now = self._now()
            circuit = self._circuits.get(key)
            if circuit is None:
                if state is CircuitState.CLOSED:
                    return
                circuit = self._new(key, now)
            if asked < circuit.asked:
                return
            circuit.asked, circuit.touched = asked, now
            if circuit.state is not state:
                self._become(circuit, state)
            if state is CircuitState.OPEN:
                circuit.until = now + min(wait, self._ticks.open_for)

    def note(self, admission: Admission, result: Result, alone: bool) -> CircuitState | None:
        """Take the result of a call that a server let through.

        ``alone``: the server does not take it, so that a state may follow here.
        """
        if result is Result.NOTHING:
            return None
        with self._lock:
            now, failed = self._now(), result is Result.FAILURE
            circuit = self._circuits.get(admission.key) or self._new(admission.key, now)
            circuit.touched = now
            if circuit.state is not admission.state:
                return None
            if alone:
                step = self._probed if circuit.state is CircuitState.HALF_OPEN else self._counted
                return step(circuit, failed, now)
            if circuit.state is CircuitState.CLOSED:
                circuit.window.add(now // self._ticks.slice, 1, failed)
            return None

    def __len__(self) -> int:
        return len(self._circuits)

    def _now(self) -> int:
        return round(self._time() * 1e6)

    def _wait(self, circuit: _Circuit, now: int) -> int:
        if circuit.state is CircuitState.OPEN:
            return circuit.until - now
        if circuit.state is CircuitState.CLOSED:
            return 0
        live = {name: ends for name, ends in circuit.leases.items() if ends > now}
        circuit.leases = live
        taken = circuit.succeeded + len(live)
        return min(live.values()) - now if taken >= self._config.success_threshold else 0

    def _counted(self, circuit: _Circuit, failed: bool, now: int) -> CircuitState | None:
        calls, failures = circuit.window.add(now // self._ticks.slice, 1, failed)
        enough = failures >= self._config.failure_threshold
        if failed and enough and failures * 1_000_000 >= self._rate * calls:
            return self._become(circuit, CircuitState.OPEN, now)
        return None

    def _probed(self, circuit: _Circuit, failed: bool, now: int) -> CircuitState | None:
        if failed:
            return self._become(circuit, CircuitState.OPEN, now)
        circuit.succeeded += 1
        if circuit.succeeded < self._config.success_threshold:
            return None
        return self._become(circuit, CircuitState.CLOSED)

    def _become(self, circuit: _Circuit, state: CircuitState, now: int = 0) -> CircuitState:
        self._generations += 1
        circuit.become(state, self._generations, now + self._ticks.open_for)
        return state

    def _new(self, key: str, now: int) -> _Circuit:
        if len(self._circuits) >= self._look_at:
            self._forget(now)
            self._look_at = max(_FEW, 2 * len(self._circuits))
        self._generations += 1
        circuit = self._circuits[key] = _Circuit(self._generations, now)
        return circuit

    def _forget(self, now: int) -> None:
        number, since = now // self._ticks.slice, now - self._ticks.keep
        for key, circuit in list(self._circuits.items()):
            if circuit.forgettable(number, since):
                del self._circuits[key]
