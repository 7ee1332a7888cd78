"""Retries that a server in trouble can bear: backoff, jitter, Retry-After, deadline, budget."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Collection
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, cast, overload

from sluicegate._support.arguments import checked_clock, number, whole
from sluicegate._support.functions import check_function, check_plain, is_async, returned
from sluicegate.errors import RateLimitError
from sluicegate.retry.asked_to_wait import asked_to_wait, status_of
from sluicegate.retry.backoff import Backoff
from sluicegate.retry.budget import RetryBudget
from sluicegate.retry.close_response import discard, discard_async

if TYPE_CHECKING:
    from tenacity import RetryCallState

    from sluicegate._core import ManualClock

__all__ = ["Retry", "retry"]

P = ParamSpec("P")
R = TypeVar("R")

# In seconds. Whoever asks for more does not want to be asked again; and no timer could do it.
_LONGEST_WAIT = 1e7


class Retry:
    """Calls a function again when it is told to slow down: a decorator, and :meth:`call`.

    Retried are answers with one of ``statuses`` (any object with ``headers`` and
    ``status_code`` or ``status``: httpx, requests, aiohttp), exceptions that have or
    carry such a status, :class:`~sluicegate.RateLimitError`, and ``exceptions``.
    Cancellation, KeyboardInterrupt and the like never are.

    A wait is what the server asks for (``retry-after-ms``, ``Retry-After`` in seconds or
    as a date, or an exception's ``retry_after``), lengthened by the jitter; else it is
    the backoff's. When no attempt is left, a wait would reach the deadline or last over
    10,000,000 seconds, or the budget is spent, nothing is waited for: the last answer is
    returned, or the last exception raised, at once.

    The function must bear being called again. Needs tenacity, the extra ``retry``.

    Args:
        attempts: calls at the most, the first one included, 1 to 1,000.
        deadline: seconds from the first attempt at which no other may begin, 0.001 to
            1,000,000, or ``None``. An attempt that has begun is not cut short.
        backoff: a :class:`Backoff`; by default 1, 2, 4, … seconds ±20 %.
        budget: a :class:`RetryBudget` to share with others, ``None`` for no bound;
            by default a new one of its own.
        statuses: HTTP statuses that are retried, 100 to 599.
        exceptions: types of exceptions to retry as well, such as ``ConnectionError``.
        clock: a :class:`~sluicegate.testing.ManualClock` for tests; a wait then moves it.
        sleep: waits so many seconds; what it returns is awaited around coroutines. Around
            a plain function it must be one, too.

    Raises:
        ValueError, TypeError: an argument out of its range; the message names it.
        ImportError: tenacity is not installed.
    """

    def __init__(
        self,
        attempts: int = 5,
        deadline: float | None = 60.0,
        *,
        backoff: Backoff | None = None,
        budget: RetryBudget | Literal["own"] | None = "own",
        statuses: Collection[int] = (429, 503),
        exceptions: Collection[type[Exception]] = (),
        clock: ManualClock | None = None,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        _tenacity()
        checked_clock(clock)
        self._attempts = whole("attempts", attempts, 1, 1_000)
        self._deadline = (
            None if deadline is None else number("deadline", deadline, 0.001, 1e6, "seconds")
        )
        self._backoff = _instance("backoff", Backoff() if backoff is None else backoff, Backoff)
        self._budget = RetryBudget(clock=clock) if budget == "own" else budget
        if self._budget is not None:
            _instance("budget", self._budget, RetryBudget)
        for argument, value in (("statuses", statuses), ("exceptions", exceptions)):
            if not isinstance(value, Collection):
                raise TypeError(f"{argument} must be a collection, got {value!r}")
        self._statuses = frozenset(whole("statuses", status, 100, 599) for status in statuses)
        more = tuple(_exception_type(kind) for kind in exceptions)
        self._exceptions: tuple[type[Exception], ...] = (RateLimitError, *more)
        if sleep is not None and not callable(sleep):
            raise TypeError(f"sleep must be callable, got {sleep!r}")
        self._sleep = clock.advance if sleep is None and clock is not None else sleep
        self._time = time.monotonic if clock is None else clock.time
        self._unix_time = time.time if clock is None else clock.time

    def __call__(self, func: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function or a coroutine function."""
        check_function(func)
        if is_async(func):

            @wraps(func)
            async def retried_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                return await self._run_async(lambda: func(*args, **kwargs))

            return cast("Callable[P, R]", retried_async)

        @wraps(func)
        def retried(*args: P.args, **kwargs: P.kwargs) -> R:
            return self._run(lambda: func(*args, **kwargs))

        return retried

    def call(self, func: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call ``func`` with the arguments; of a coroutine function, await what this returns."""
        check_function(func)
        if is_async(func):
            return cast("R", self._run_async(lambda: func(*args, **kwargs)))
        return self._run(lambda: func(*args, **kwargs))

    def _run(self, attempt: Callable[[], R]) -> R:
        rules = self._rules()
        if self._sleep is not None:
            check_plain("sleep", self._sleep)
            rules["sleep"] = self._sleep
        retrying = _tenacity().Retrying(before_sleep=_let_go, **rules)
        return cast("R", retrying(lambda: returned(attempt())))

    async def _run_async(self, attempt: Callable[[], Any]) -> Any:
        rules = self._rules()
        if self._sleep is not None:
            rules["sleep"] = self._nap

        async def awaited() -> Any:
            return await attempt()

        return await _tenacity().AsyncRetrying(before_sleep=_let_go_async, **rules)(awaited)

    async def _nap(self, seconds: float) -> None:
        slept = None if self._sleep is None else self._sleep(seconds)
        if inspect.isawaitable(slept):
            await slept

    def _rules(self) -> dict[str, Any]:
        """One call's settings for tenacity, which keeps state in what it makes of them."""
        begun = self._time()
        if self._budget is not None:
            self._budget.count_call()
        return {
            "retry": self._should_retry,
            "wait": self._wait,
            "stop": partial(self._should_stop, begun),
            "retry_error_callback": _give_up,
        }

    def _should_retry(self, state: RetryCallState) -> bool:
        outcome = _outcome(state)
        if isinstance(outcome, BaseException) and not isinstance(outcome, Exception):
            return False
        return isinstance(outcome, self._exceptions) or status_of(outcome) in self._statuses

    def _wait(self, state: RetryCallState) -> float:
        asked = asked_to_wait(_outcome(state), self._unix_time())
        return self._backoff.seconds(state.attempt_number, asked)

    def _should_stop(self, begun: float, state: RetryCallState) -> bool:
        if state.attempt_number >= self._attempts:
            return True
        if state.upcoming_sleep > _LONGEST_WAIT:
            return True
        if self._deadline is not None:
            spent = self._time() - begun
            if spent + state.upcoming_sleep >= self._deadline:
                return True
        # Last, for it spends: only a retry that will be made.
        return self._budget is not None and not self._budget.try_retry()


@overload
def retry(func: Callable[P, R], /) -> Callable[P, R]: ...
@overload
def retry(**options: Any) -> Retry: ...
def retry(func: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Decorate with a new :class:`Retry`: ``@retry``, or ``@retry(attempts=3, deadline=10)``."""
    return Retry(**options) if func is None else Retry(**options)(func)


def _tenacity() -> Any:
    try:
        import tenacity
    except ModuleNotFoundError:
        raise ImportError(
            "sluicegate.retry needs tenacity: pip install 'sluicegate[retry]'"
        ) from None
    return tenacity


def _outcome(state: RetryCallState) -> object:
    """What the last attempt returned or raised."""
    assert state.outcome is not None
    return state.outcome.exception() if state.outcome.failed else state.outcome.result()


def _give_up(state: RetryCallState) -> Any:
    """Return what the last attempt returned, or raise what it raised."""
    assert state.outcome is not None
    return state.outcome.result()


def _let_go(state: RetryCallState) -> None:
    if not isinstance(answer := _outcome(state), BaseException):
        discard(answer)


async def _let_go_async(state: RetryCallState) -> None:
    if not isinstance(answer := _outcome(state), BaseException):
        await discard_async(answer)


def _instance(argument: str, value: object, kind: type[R]) -> R:
    if not isinstance(value, kind):
        raise TypeError(f"{argument} must be a {kind.__name__}, got {value!r}")
    return value


def _exception_type(kind: object) -> type[Exception]:
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        raise TypeError(f"exceptions must hold subclasses of Exception, got {kind!r}")
    return kind
