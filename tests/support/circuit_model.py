"""A circuit as slow and obvious as can be, and a machine that compares a breaker with it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitOpenError, CircuitState

CONFIG = CircuitConfig(
    failure_threshold=3,
    success_threshold=2,
    timeout=5,
    rate_limit=None,
    failure_rate=0.5,
    window=10,
    probe_lease=4,
)
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class World(Protocol):
    """A breaker, its clock, and what runs its coroutines."""

    breaker: CircuitBreaker

    def now(self) -> float: ...
    def advance(self, seconds: float) -> None: ...
    def run(self, steps: Coroutine[Any, Any, Any]) -> Any: ...


class Call:
    """A call that was let through, of the generation of its time."""

    def __init__(self, generation: int, begun: float) -> None:
        self.generation, self.begun = generation, begun


class Model:
    """Remembers every result of a generation, and every probe."""

    def __init__(self) -> None:
        self.generation = 0
        self._become(CLOSED)

    def _become(self, state: CircuitState, until: float = 0.0) -> None:
        self.state, self.until = state, until
        self.generation += 1
        self.results: list[tuple[float, bool]] = []
        self.probes: list[Call] = []
        self.succeeded = 0

    def _in_hand(self, now: float) -> list[Call]:
        return [probe for probe in self.probes if probe.begun + CONFIG.probe_lease > now]

    def enter(self, now: float) -> Call | float:
        """The call, or seconds to wait."""
        if self.state is OPEN and now < self.until:
            return self.until - now
        if self.state is OPEN:
            self._become(HALF_OPEN)
        call = Call(self.generation, now)
        if self.state is HALF_OPEN:
            held = self._in_hand(now)
            if len(held) + self.succeeded == CONFIG.success_threshold:
                return min(probe.begun for probe in held) + CONFIG.probe_lease - now
            self.probes.append(call)
        return call

    def leave(self, call: Call, failed: bool | None, now: float) -> None:
        if call.generation != self.generation:
            return
        if self.state is HALF_OPEN:
            in_time = call in self._in_hand(now)
            self.probes.remove(call)
            if failed is not None and in_time:
                self._probed(failed, now)
        elif failed is not None:
            self.results.append((now, failed))
            live = [bad for when, bad in self.results if _tenth(when) > _tenth(now) - 10]
            many = sum(live) >= CONFIG.failure_threshold
            if failed and many and sum(live) >= CONFIG.failure_rate * len(live):
                self._become(OPEN, now + CONFIG.timeout)

    def _probed(self, failed: bool, now: float) -> None:
        self.succeeded += not failed
        if failed:
            self._become(OPEN, now + CONFIG.timeout)
        elif self.succeeded == CONFIG.success_threshold:
            self._become(CLOSED)

    def meets(self, now: float) -> CircuitState:
        return HALF_OPEN if self.state is OPEN and self.until <= now else self.state


def _tenth(moment: float) -> int:
    return int(moment * 10 // CONFIG.window)


class Comparison(RuleBasedStateMachine):
    """Calls that come, succeed, fail, are cancelled or hang, beside the model's."""

    def __init__(self, world: World, key: str) -> None:
        super().__init__()
        self.world, self.key = world, key
        self.model = Model()
        self.inside: list[tuple[Any, Call]] = []

    @rule()
    def enter(self) -> None:
        expected = self.model.enter(self.world.now())
        guard = self.world.breaker.guard(self.key)
        try:
            self.world.run(guard.__aenter__())
        except CircuitOpenError as error:
            assert isinstance(expected, float)
            assert abs(error.retry_after - expected) < 1e-6
        else:
            assert isinstance(expected, Call)
            self.inside.append((guard, expected))

    @precondition(lambda self: self.inside)
    @rule(which=st.integers(0, 99), error=st.sampled_from([None, OSError, KeyboardInterrupt]))
    def leave(self, which: int, error: type[BaseException] | None) -> None:
        self._leave(self.inside.pop(which % len(self.inside)), error)

    @rule(count=st.integers(1, 4), error=st.sampled_from([None, OSError]))
    def call(self, count: int, error: type[BaseException] | None) -> None:
        """Calls one after the other, so that states are left often."""
        for _ in range(count):
            inside = len(self.inside)
            self.enter()
            if len(self.inside) > inside:
                self._leave(self.inside.pop(), error)

    def _leave(self, inside: tuple[Any, Call], error: type[BaseException] | None) -> None:
        guard, call = inside
        failed = {None: False, OSError: True}.get(error)
        self.model.leave(call, failed, self.world.now())
        self.world.run(guard.__aexit__(error, None, None))

    @rule(seconds=st.sampled_from([0.5, 1.0, 1.0, 4.0, 5.0, 5.0, 9.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    @invariant()
    def states_agree(self) -> None:
        found = self.world.run(self.world.breaker.state(self.key))
        assert found is self.model.meets(self.world.now())


def a_machine(world: World, names: Callable[[], str]) -> Callable[[], Comparison]:
    """Makes a machine on a new key each time."""
    return lambda: Comparison(world, names())
