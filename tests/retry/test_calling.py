"""What can be called again and with which arguments, and when tenacity is needed."""

from __future__ import annotations

import asyncio
import builtins
import functools
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from refusing_server import STEADY, Server, ask, refused
from sluicegate import ManualClock, RateLimitError
from sluicegate.retry import Backoff, Retry, retry


def test_arguments_of_any_name_pass_through(clock: ManualClock) -> None:
    def echo(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    names = {"self": 1, "func": 2, "fn": 3, "attempts": 4}
    assert Retry(clock=clock).call(echo, 5, **names) == ((5,), names)
    assert Retry(clock=clock)(echo)(5, **names) == ((5,), names)


def test_methods_partials_and_callable_objects(clock: ManualClock) -> None:
    server = Server(clock, *[refused()] * 4)

    class Client:
        @retry(clock=clock)
        async def fetch(self, what: str) -> str:
            """Fetch it."""
            return what if await server.get_async() == "answer" else await self.fail()

        async def fail(self) -> str:
            raise RateLimitError

        async def __call__(self) -> Any:
            return await server.get_async()

    assert Client.fetch.__doc__ == "Fetch it."
    assert asyncio.iscoroutinefunction(Client.fetch)
    assert asyncio.run(Client().fetch("x")) == "x"
    server.refusals = iter([refused()])
    assert asyncio.run(Retry(clock=clock).call(Client())) == "answer"
    server.refusals = iter([refused()])
    part = functools.partial(server.get_async)
    assert asyncio.run(Retry(clock=clock).call(part)) == "answer"


def test_the_bare_decorator() -> None:
    @retry
    def double(number: int) -> int:
        return 2 * number

    assert double(4) == 8
    assert double.__name__ == "double"


def test_an_awaitable_from_a_plain_function_is_an_error(clock: ManualClock) -> None:
    server = Server(clock)
    with pytest.raises(TypeError, match="func must be a coroutine function"):
        Retry(clock=clock).call(lambda: server.get_async())


def numbers() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("func", [numbers, None, 3])
def test_what_cannot_be_called_again_is_refused(func: Any) -> None:
    for way in (Retry(), Retry().call):
        with pytest.raises(TypeError, match="func must"):
            way(func)


@pytest.mark.parametrize("sleep_is_async", [False, True])
def test_sleep_is_what_is_called(clock: ManualClock, sleep_is_async: bool) -> None:
    slept: list[float] = []

    async def nap(seconds: float) -> None:
        slept.append(seconds)

    sleep: Callable[[float], Any] = nap if sleep_is_async else slept.append
    ask(Server(clock, refused()), "async call", sleep=sleep, backoff=STEADY)
    assert slept == [1]


def test_a_sleep_that_nobody_would_await_is_refused_before_the_first_call() -> None:
    calls: list[int] = []

    async def nap(_: float) -> None: ...

    with pytest.raises(TypeError, match="sleep must be a plain function, got"):
        Retry(sleep=nap).call(calls.append, 1)
    assert not calls


def test_without_tenacity_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "tenacity":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'sluicegate\[retry\]'"):
        Retry()


def test_tenacity_is_imported_at_the_first_use() -> None:
    code = (
        "import sys, sluicegate.retry; assert 'tenacity' not in sys.modules;"
        "sluicegate.retry.Retry(); assert 'tenacity' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"attempts": 0}, ValueError, "attempts must be an int from 1 to 1,000, got 0"),
        ({"attempts": 2.0}, TypeError, "attempts must be an int, got float"),
        ({"deadline": 0}, ValueError, "deadline must be a number of seconds from 0.001"),
        ({"deadline": float("nan")}, ValueError, "deadline must be"),
        ({"backoff": 2}, TypeError, "backoff must be a Backoff, got 2"),
        ({"budget": 0.1}, TypeError, "budget must be a RetryBudget, got 0.1"),
        ({"statuses": [42]}, ValueError, "statuses must be an int from 100 to 599"),
        ({"statuses": 429}, TypeError, "statuses must be a collection"),
        ({"exceptions": [BaseException]}, TypeError, "exceptions must hold subclasses"),
        ({"exceptions": ValueError}, TypeError, "exceptions must be a collection"),
        ({"sleep": 1}, TypeError, "sleep must be callable"),
        ({"clock": 1}, TypeError, "clock must be a ManualClock or None, got 1"),
    ],
)
def test_bad_arguments(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        Retry(**options)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"initial": 0}, ValueError, "initial must be a number of seconds from 0.000001"),
        ({"initial": 2, "longest": 1}, ValueError, "longest must be a number of seconds from 2"),
        ({"jitter": 1.5}, ValueError, "jitter must be a number"),
        ({"jitter": "a"}, TypeError, "jitter must be an int or a float"),
        ({"random": 4}, TypeError, "random must be callable"),
    ],
)
def test_bad_backoffs(options: dict[str, Any], kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words):
        Backoff(**options)


@pytest.mark.parametrize("seconds", ["5", -1, float("nan")])
def test_bad_seconds_that_a_server_asks_for(seconds: Any) -> None:
    with pytest.raises((TypeError, ValueError), match=r"^retry_after must be"):
        Backoff().seconds(1, seconds)
