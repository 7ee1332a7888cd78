"""What ends the retrying: attempts, the deadline, the budget. Time is a number here."""

from __future__ import annotations

from typing import Any

import pytest

from refusing_server import STEADY, WAYS, Server, ask, refused
from sluicegate import ManualClock, RateLimitError
from sluicegate.retry import Retry, RetryBudget


@WAYS
def test_after_the_last_attempt_the_answer_comes_back(clock: ManualClock, way: str) -> None:
    last = refused()
    server = Server(clock, refused(), refused(), last, "never asked")
    assert ask(server, way, attempts=3) is last
    assert len(server.times) == 3


@WAYS
def test_after_the_last_attempt_the_exception_is_raised(clock: ManualClock, way: str) -> None:
    errors = [RateLimitError(str(n)) for n in range(3)]
    server = Server(clock, *errors)
    with pytest.raises(RateLimitError) as raised:
        ask(server, way, attempts=3)
    assert raised.value is errors[2]


@WAYS
def test_a_wait_that_would_reach_the_deadline_is_not_begun(clock: ManualClock, way: str) -> None:
    last = refused()
    server = Server(clock, refused(), refused(), last)
    assert ask(server, way, deadline=7, backoff=STEADY) is last
    assert clock.time() == 3
    server = Server(clock, refused(), refused(), refused())
    assert ask(server, way, deadline=7.1, backoff=STEADY) == "answer"


def test_time_spent_in_attempts_counts(clock: ManualClock) -> None:
    server = Server(clock, refused(), refused())

    def slow() -> Any:
        clock.advance(5)
        return server.get()

    assert Retry(clock=clock, deadline=10, backoff=STEADY).call(slow).status_code == 429
    assert len(server.times) == 2


def test_a_retry_after_beyond_the_deadline_is_given_up_at_once(clock: ManualClock) -> None:
    server = Server(clock, RateLimitError(retry_after=86_400))
    with pytest.raises(RateLimitError):
        ask(server, "call")
    assert clock.time() == 0
    server = Server(clock, RateLimitError(retry_after=86_400))
    assert ask(server, "call", deadline=None) == "answer"


def outage(clock: ManualClock, budget: RetryBudget | None, calls: int) -> int:
    """Attempts that so many calls make of a server that refuses them all."""
    server = Server(clock, *[refused()] * 10 * calls)
    retrying = Retry(clock=clock, budget=budget)
    for _ in range(calls):
        assert retrying.call(server.get).status_code == 429
    return len(server.times)


def test_in_an_outage_retries_stay_within_the_budget(clock: ManualClock) -> None:
    budget = RetryBudget(0.1, 1e6, 10, clock=clock)
    retries = outage(clock, budget, 1_000) - 1_000
    print(f"1,000 calls, all refused: {retries} retries")
    assert retries == 110
    assert outage(clock, None, 1_000) == 5_000


def test_a_budget_is_shared(clock: ManualClock) -> None:
    budget = RetryBudget(0, 1e6, 3, clock=clock)
    assert outage(clock, budget, 1) == 4
    assert outage(clock, budget, 1) == 1


def test_without_one_each_has_a_budget_of_its_own(clock: ManualClock) -> None:
    server = Server(clock, *[refused()] * 1_000)
    retrying = Retry(clock=clock, sleep=lambda seconds: None)
    for _ in range(100):
        retrying.call(server.get)
    assert len(server.times) - 100 == 20


def test_a_retry_that_the_deadline_forbids_spends_no_budget(clock: ManualClock) -> None:
    budget = RetryBudget(0, 10, 1, clock=clock)
    ask(Server(clock, refused()), "call", deadline=0.5, budget=budget)
    ask(Server(clock, refused()), "call", attempts=1, budget=budget)
    assert budget.try_retry()


@WAYS
@pytest.mark.parametrize("seconds", [1e10, 1.7e308])
def test_a_wait_that_no_timer_could_do_is_given_up_at_once(
    clock: ManualClock, way: str, seconds: float
) -> None:
    server = Server(clock, RateLimitError(retry_after=seconds))
    slept: list[float] = []
    with pytest.raises(RateLimitError):
        ask(server, way, deadline=None, sleep=slept.append)
    assert not slept
