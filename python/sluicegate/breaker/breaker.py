"""A circuit breaker with a rate limit: a service in trouble is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from sluicegate._support.arguments import checked_clock, checked_key, checked_prefix, number
from sluicegate._support.awaiting import at_once, maybe_await
from sluicegate._support.functions import Types, check_function, check_plain, exception_types
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.pickling import MadeAnew, stays
from sluicegate.breaker.admitting import Admitter
from sluicegate.breaker.config import CircuitConfig, CircuitState, StateChange
from sluicegate.breaker.guard import Guard
from sluicegate.breaker.memory import Circuits
from sluicegate.limiters import SlidingWindowCounter

if TYPE_CHECKING:
    from sluicegate._core import ManualClock
    from sluicegate._support.pickling import Plan
    from sluicegate.breaker.redis import RedisCircuits
    from sluicegate.redis import AsyncLimiter

__all__ = ["CircuitBreaker"]

P = ParamSpec("P")
R = TypeVar("R")


class CircuitBreaker(MadeAnew):
    """Lets calls through while they succeed, none while they fail, and then a few to see.

    A key has a circuit of its own: one for each service, say. Closed, it counts failures
    in a window. Open, it refuses for ``timeout`` seconds. Half open, it lets exactly
    ``success_threshold`` probes through, all processes together: the first failure opens
    it, and when all have succeeded it closes. Results of calls from before a change count
    for nothing. Cancelled calls never count.

    Without ``redis`` the circuits are those of this object, for all threads and loops, and
    take memory only as long as something counts in them.

    Args:
        redis: where circuits are shared: a URL or a ``redis.asyncio`` client; or ``None``.
        config: a :class:`CircuitConfig`.
        exceptions: types that are failures; others count as an answer, which is a success.
        ignored: types that count for nothing.
        is_failure: given what a function returned, whether that is a failure.
        on_change: called with a :class:`StateChange` that a call of this process has made.
        prefix: what keys begin with in Redis.
        timeout: seconds within which Redis must answer, 0.001 to 60.
        on_error: when it does not, ``"local"``: circuits of this process decide, from what
            Redis told it last (an open one stays open until its time is over) and from the
            results of its own calls; or ``"raise"``: the caller gets a
            :class:`~sluicegate.errors.StoreError`.
        clock: a :class:`~sluicegate.ManualClock` for tests, in memory.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
    """

    def __init__(
        self,
        redis: object = None,
        config: CircuitConfig | None = None,
        *,
        exceptions: Types = Exception,
        ignored: Types = (),
        is_failure: Callable[[Any], object] | None = None,
        on_change: Callable[[StateChange], object] | None = None,
        prefix: str = "sluicegate:circuit",
        timeout: float = 0.25,
        on_error: Literal["local", "raise"] = "local",
        clock: ManualClock | None = None,
    ) -> None:
        self.config = CircuitConfig() if config is None else config
        if not isinstance(self.config, CircuitConfig):
            raise TypeError(f"config must be a CircuitConfig, got {config!r}")
        check_plain("is_failure", is_failure)
        check_plain("on_change", on_change)
        if on_error not in ("local", "raise"):
            raise ValueError(f"on_error must be 'local' or 'raise', got {on_error!r}")
        checked_clock(clock)
        if clock is not None and redis is not None:
            raise TypeError("clock is for circuits in memory: Redis has its own")
        number("timeout", timeout, 0.001, 60, "seconds")
        checked_prefix(prefix)
        failures = exception_types("exceptions", exceptions)
        uncounted = exception_types("ignored", ignored)
        self._admitter = Admitter(failures, uncounted, is_failure, on_change)
        self._in_redis: tuple[RedisCircuits, AsyncLimiter | None] | None = None
        self._make_circuits(redis, prefix, timeout, on_error, clock)
        self._redis = redis
        self._options = {"prefix": prefix, "timeout": timeout, "on_error": on_error}

    def _plan(self) -> Plan:
        if self._redis is None:
            stays(self, "circuits")
        from sluicegate._connection.settings import settings_of

        ours = self._admitter
        judging = {"exceptions": ours.failures, "ignored": ours.ignored}
        telling = {"is_failure": ours.is_failure, "on_change": ours.on_change}
        arguments = settings_of(self._redis), self.config
        return CircuitBreaker, arguments, {**judging, **telling, **self._options}

    def _make_circuits(
        self,
        redis: object,
        prefix: str,
        timeout: float,
        on_error: Literal["local", "raise"],
        clock: ManualClock | None,
    ) -> None:
        ours = self._admitter
        limit, window = self.config.rate_limit, self.config.rate_window
        if redis is None:
            ours.circuits = Circuits(self.config, None if clock is None else clock.time)
            if limit is not None:
                ours.limiter = SlidingWindowCounter(limit, window, clock=clock)
            return
        from sluicegate.breaker.redis import RedisCircuits
        from sluicegate.redis import limiters as in_redis

        local = on_error == "local"
        circuits = RedisCircuits(redis, self.config, prefix, timeout, local, ours.tell)
        limiter = None
        if limit is not None:
            limiter = in_redis.SlidingWindowCounter(
                redis, limit, window, prefix=prefix, timeout=timeout, on_error=on_error
            )
        self._in_redis = ours.circuits, ours.limiter = circuits, limiter

    @to_be_awaited
    async def execute(
        self, key: str, func: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        """Call ``func``, a function or a coroutine function, if the circuit lets it through.

        Raises :class:`CircuitOpenError` or :class:`RateLimitError` when it does not; both
        have ``retry_after``, in seconds. In Redis this costs three round trips.
        """
        check_function(func)
        return await self.guard(key).run(func, *args, **kwargs)

    def execute_sync(
        self, key: str, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """:meth:`execute` for a plain function, in a thread without an event loop.

        Circuits in Redis block it for the round trips; where an event loop runs that is a
        ``RuntimeError``.
        """
        check_function(func)
        return self.guard(key).run_sync(func, *args, **kwargs)

    def guard(self, key: str) -> Guard:
        """A decorator for functions; and a context manager, for one block at a time.

        A block tells of a failure by an exception, or by ``guard.fail()``.
        """
        return Guard(self._admitter, checked_key(key))

    @to_be_awaited
    async def state(self, key: str) -> CircuitState:
        """What the next call would meet: a circuit whose ``timeout`` is over is half open."""
        return await maybe_await(self._admitter.circuits.state(checked_key(key)))

    def state_sync(self, key: str) -> CircuitState:
        """:meth:`state` that blocks its thread, where circuits are in Redis."""
        if self._in_redis is not None:
            from sluicegate._connection.blocking import may_block

            may_block("state_sync")
        circuits = self._admitter.blocking().circuits
        return at_once(maybe_await(circuits.state(checked_key(key))))

    @to_be_awaited
    async def ping(self, timeout: float = 1.0) -> str:
        """Reach Redis, within ``timeout`` seconds; returns its name and version.

        Raises :class:`~sluicegate.errors.StoreError` when it does not answer, is too old
        (before 6.2), or does not let its user run a command that circuits or the rate limit
        need, which is named; and ``TypeError`` for circuits in memory. Changes no circuit,
        spends nothing, and costs two to four round trips.
        """
        if self._in_redis is None:
            raise TypeError("circuits in memory have no server that could answer")
        circuits, limiter = self._in_redis
        if limiter is not None:
            await limiter.ping(timeout)
        return await circuits.ping(timeout)

    def ping_sync(self, timeout: float = 1.0) -> str:
        """:meth:`ping` that blocks its thread."""
        if self._in_redis is None:
            raise TypeError("circuits in memory have no server that could answer")
        circuits, limiter = self._in_redis
        if limiter is not None:
            limiter.ping_sync(timeout)
        return at_once(circuits.blocking().ping(timeout))

    def close(self) -> None:
        """Let go of the connection to Redis, if nobody else uses it. A later call opens it again."""
        for shared in self._in_redis or ():
            if shared is not None:
                shared.close()

    async def aclose(self) -> None:
        """:meth:`close`, as a coroutine."""
        self.close()
