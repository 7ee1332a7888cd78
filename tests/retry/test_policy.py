"""What is retried, and how long is waited before. Time is a number here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from refusing_server import STEADY, WAYS, Server, ask, refused
from sluicegate import ManualClock, RateLimitError, SlidingWindowRateLimiter
from sluicegate.fastapi import RateLimitMiddleware
from sluicegate.retry import Backoff, Retry


@WAYS
@pytest.mark.parametrize("refusal", [refused(), refused(503), RateLimitError()], ids=repr)
def test_waits_1_2_4_8_seconds(clock: ManualClock, way: str, refusal: object) -> None:
    server = Server(clock, *[refusal] * 4)
    assert ask(server, way, backoff=STEADY) == "answer"
    assert server.waits == [1, 2, 4, 8]


@WAYS
@pytest.mark.parametrize(
    "outcome", [refused(200), refused(500), refused(404), None, ValueError("no"), OSError("no")]
)
def test_all_else_is_left_alone(clock: ManualClock, way: str, outcome: object) -> None:
    server = Server(clock, outcome)
    if isinstance(outcome, Exception):
        with pytest.raises(type(outcome)):
            ask(server, way)
    else:
        assert ask(server, way) is outcome
    assert len(server.times) == 1


@WAYS
@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_ends_a_program_is_never_retried(
    clock: ManualClock, way: str, stop: type[BaseException]
) -> None:
    error = stop()
    error.status_code = 429  # type: ignore[attr-defined]
    server = Server(clock, error)
    with pytest.raises(stop):
        ask(server, way, exceptions=(Exception,))
    assert len(server.times) == 1


def test_a_wait_can_be_cancelled(clock: ManualClock) -> None:
    server = Server(clock, refused(), refused())

    async def program() -> None:
        retrying = Retry(clock=clock, sleep=lambda seconds: asyncio.sleep(3_600))
        task = asyncio.create_task(retrying.call(server.get_async))
        while not server.times:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(program())
    assert len(server.times) == 1


@pytest.mark.parametrize(("luck", "factor"), [(0.0, 0.8), (0.5, 1.0), (0.999_999, 1.2)])
def test_jitter_is_20_percent_either_way(clock: ManualClock, luck: float, factor: float) -> None:
    server = Server(clock, refused(), refused(), refused())
    ask(server, "call", backoff=Backoff(random=lambda: luck))
    assert server.waits == pytest.approx([1 * factor, 2 * factor, 4 * factor], rel=1e-4)


@WAYS
@pytest.mark.parametrize(("luck", "factor"), [(0.0, 1.0), (0.999_999, 1.2)])
@pytest.mark.parametrize(
    "refusal",
    [
        refused(Retry_After="10"),
        refused(Retry_After="Thu, 01 Jan 1970 00:00:10 GMT"),
        refused(retry_after_ms="10000"),
        RateLimitError(retry_after=10),
    ],
    ids=repr,
)
def test_what_the_server_asks_is_only_lengthened(
    clock: ManualClock, way: str, luck: float, factor: float, refusal: object
) -> None:
    server = Server(clock, refusal)
    ask(server, way, backoff=Backoff(random=lambda: luck))
    assert server.waits == pytest.approx([10 * factor], rel=1e-4)


def test_backoff_grows_to_its_longest() -> None:
    backoff = Backoff(0.5, longest=3, jitter=0)
    waits = [backoff.seconds(retry) for retry in (1, 2, 3, 4, 5, 5_000)]
    assert waits == [0.5, 1, 2, 3, 3, 3]
    assert backoff.seconds(1, retry_after=500) == 500


class Closable:
    """A refusal that holds a connection."""

    status, headers = 429, {"a": "b"}

    def __init__(self, broken: bool = False) -> None:
        self.closed, self.broken = 0, broken

    def close(self) -> None:
        self.closed += 1
        if self.broken:
            raise OSError("already gone")


class AsyncClosable(Closable):
    async def aclose(self) -> None:
        self.closed += 10
        if self.broken:
            raise OSError("already gone")


@WAYS
@pytest.mark.parametrize("broken", [False, True])
def test_refusals_are_closed_but_for_the_one_returned(
    clock: ManualClock, way: str, broken: bool
) -> None:
    answers = [AsyncClosable(broken) for _ in range(3)]
    assert ask(Server(clock, *answers), way, attempts=3) is answers[2]
    once = 10 if way.startswith("async") else 1
    assert [answer.closed for answer in answers] == [once, once, 0]


def test_other_exceptions_and_statuses_can_be_retried(clock: ManualClock) -> None:
    server = Server(clock, ConnectionResetError(), refused(502))
    options: dict[str, Any] = {"exceptions": [ConnectionError], "statuses": [502]}
    assert ask(server, "call", **options) == "answer"
    assert ask(Server(clock, refused(429)), "call", **options).status_code == 429


def test_our_own_middleware_admits_the_retry(clock: ManualClock) -> None:
    app = FastAPI()
    limiter = SlidingWindowRateLimiter(2, 30, clock=clock)
    app.add_middleware(RateLimitMiddleware, tiers={"all": limiter})

    @app.get("/")
    def home() -> str:
        return "home"

    client = TestClient(app)
    fetch = Retry(attempts=2, clock=clock)(client.get)
    answers = [fetch("/").status_code for _ in range(6)]
    assert answers == [200] * 6
    assert 60 <= clock.time() <= 72
