"""Circuits in Redis, shared by all processes: one script, one round trip a step."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from copy import copy
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

from sluicegate._connection.blocking import BlockingScripts
from sluicegate._connection.notices import Complaint
from sluicegate._connection.rights import commands_of, ping
from sluicegate._connection.scripts import Scripts, script_of
from sluicegate._connection.settings import settings_of
from sluicegate.breaker.calls import Admission, Refused, Result
from sluicegate.breaker.config import CircuitConfig, CircuitState
from sluicegate.breaker.memory import Circuits, Ticks, parts_per_million
from sluicegate.errors import StoreError

if TYPE_CHECKING:
    from sluicegate._core import RedisScript

__all__ = ["RedisCircuits"]

# Calls of an outage whose places are given back after it, so many with each that is answered.
_MOST_LOST, _AT_ONCE = 1_000, 16
_ENTER = script_of("sluicegate.breaker", "circuit_enter")
_LEAVE = script_of("sluicegate.breaker", "circuit_leave")
#: The state, its generation, microseconds to wait, and whether the state is new.
_Entered = tuple[int, int, int, int]
_STATES = (CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN)


class RedisCircuits:
    """The circuits of one breaker; in this process as long as the server does not answer.

    Those of this process know what the server told last, and the results of calls here.
    """

    def __init__(
        self,
        redis: object,
        config: CircuitConfig,
        prefix: str,
        timeout: float,
        local: bool,
        tell: Callable[[str, CircuitState, CircuitState], None],
    ) -> None:
        self._scripts: Scripts | BlockingScripts = Scripts(settings_of(redis), prefix, timeout)
        self._tell = tell
        self._local = Circuits(config, None) if local else None
        self._lost: deque[tuple[str, str]] = deque(maxlen=_MOST_LOST)
        self._questions = count(1)
        self._undecided, self._untold = Complaint(), Complaint()
        ticks = Ticks(config)
        self._open_for = ticks.open_for
        places, keep = str(config.success_threshold), str(ticks.keep // 1000)
        self._entering = [places, str(ticks.lease), keep, str(ticks.open_for)]
        self._leaving = [
            places,
            str(ticks.open_for),
            keep,
            str(config.failure_threshold),
            str(parts_per_million(config.failure_rate)),
            str(ticks.slice),
        ]

    async def enter(self, key: str, ticket: str) -> Admission | Refused:
        """Let a call through, or not. If cancelled, a place that was taken is given back."""
        try:
            asked = self._asked(key, ticket)
        except BaseException:  # a thread was interrupted while it was blocked
            self._lost.append((key, ticket))
            raise
        try:
            await self._scripts.settled(asked)
            state, generation, wait, changed = asked.result()
        except asyncio.CancelledError:
            # Only now, lest the one overtake the other.
            asked.add_done_callback(partial(self._leave_at_once, key, ticket))
            raise
        except StoreError as error:
            self._lost.append((key, ticket))
            return self._without_server(error).enter(key, ticket)
        self._give_back_lost()
        if wait:
            return Refused(wait / 1e6, _STATES[state])
        return Admission(key, ticket, generation, _STATES[state], bool(changed), here=False)

    async def leave(self, admission: Admission, result: Result) -> CircuitState | None:
        """Take a call's result; the state that it leads to, if that is another.

        A result that the server does not take counts in this process alone, and a probe's
        place is free again after its lease.
        """
        if admission.here:
            assert self._local is not None
            return self._local.leave(admission, result)
        question, told = next(self._questions), self._told(admission, result)
        try:
            await self._scripts.settled(told)
        except asyncio.CancelledError:
            told.add_done_callback(partial(self._left, admission, result, question))
            raise
        return self._after(admission, result, question, told)

    async def state(self, key: str) -> CircuitState:
        """What the next call would meet."""
        try:
            state, *_ = await self._asked(key, "")
        except StoreError as error:
            return self._without_server(error).state(key)
        return _STATES[state]

    def commands(self) -> set[str]:
        """What a user must be allowed to call."""
        return commands_of([_ENTER.text, _LEAVE.text])

    async def ping(self, timeout: float) -> str:
        """The server's name and version, or a ``StoreError``."""
        return await ping(self._scripts, self.commands(), timeout)

    def blocking(self) -> RedisCircuits:
        """The same circuits, whose coroutines never wait but block their thread."""
        twin = copy(self)
        twin._scripts = self._scripts.blocking()  # noqa: SLF001
        return twin

    def _without_server(self, error: StoreError) -> Circuits:
        """Who decides then."""
        if self._local is None:
            raise error
        self._undecided.make("Circuits are decided by on_error, not by Redis", error)
        return self._local

    def close(self) -> None:
        """Let go of the connection, if nobody else uses it."""
        self._scripts.close()

    def _asked(self, key: str, ticket: str) -> asyncio.Future[_Entered]:
        question = next(self._questions)
        asked = self._run(_ENTER, key, ticket, *self._entering)
        if self._local is not None:
            asked.add_done_callback(partial(self._learn, key, ticket, question))
        return asked

    def _learn(self, key: str, ticket: str, question: int, asked: asyncio.Future[_Entered]) -> None:
        if self._local is None or not _answered(asked):
            return
        state, _, wait, changed = asked.result()
        if changed and not ticket:  # only looked at: a call is still to change it
            state, wait = _STATES.index(CircuitState.OPEN), 0
        self._local.learn(key, question, _STATES[state], wait)

    def _after(
        self, admission: Admission, result: Result, question: int, told: asyncio.Future[int]
    ) -> CircuitState | None:
        """What a result leads to, here as there; once for each."""
        state = None
        if _answered(told):
            state = None if told.result() < 0 else _STATES[told.result()]
            if self._local is not None and state is not None:
                self._local.learn(admission.key, question, state, self._open_for)
        elif not told.cancelled() and isinstance(error := told.exception(), StoreError):
            self._untold.make("Circuits in Redis do not hear of the results of calls", error)
        if self._local is None or state is not None:
            return state
        return self._local.note(admission, result, alone=not _answered(told))

    def _told(self, admission: Admission, result: Result) -> asyncio.Future[int]:
        call = str(admission.generation), str(int(result))
        return self._run(_LEAVE, admission.key, admission.ticket, *call, *self._leaving)

    def _give_back_lost(self) -> None:
        """A server that stalled may have let calls in after they had stopped waiting for it."""
        for _ in range(min(_AT_ONCE, len(self._lost))):
            self._give_back(*self._lost.popleft())

    def _give_back(self, key: str, ticket: str) -> None:
        nothing = ticket, "0", str(int(Result.NOTHING)), *self._leaving
        self._scripts.post(_LEAVE, _circuit_key(key), list(nothing))

    def _leave_at_once(self, key: str, ticket: str, entered: asyncio.Future[_Entered]) -> None:
        self._give_back(key, ticket)
        if _answered(entered) and entered.result()[3]:
            self._tell(key, CircuitState.OPEN, CircuitState.HALF_OPEN)

    def _left(
        self, admission: Admission, result: Result, question: int, told: asyncio.Future[int]
    ) -> None:
        """Tell of what came of a call after nobody waited for it any more."""
        state = self._after(admission, result, question, told)
        if state is not None:
            self._tell(admission.key, admission.state, state)

    def _run(self, script: RedisScript, key: str, *arguments: str) -> asyncio.Future[Any]:
        reply = self._scripts.run(script, _circuit_key(key), list(arguments))
        reply.add_done_callback(_answered)  # or asyncio complains of those that nobody awaits
        return reply


def _circuit_key(key: str) -> str:
    # The limiter that pays for calls counts by rate:key, under the same prefix.
    return f"circuit:{key}" if key.startswith(("rate:", "circuit:")) else key


def _answered(answer: asyncio.Future[Any]) -> bool:
    return not answer.cancelled() and answer.exception() is None
