"""What must be awaited and was not: never true, never sent, and said."""

from __future__ import annotations

import asyncio
import collections.abc
import copy
import functools
import gc
import inspect
import pickle
import sys
import warnings
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest
import uvloop

from redis_programs import run
from redis_servers import Server
from sluicegate import SlidingWindowRateLimiter as InMemory
from sluicegate import TokenBucket, _core
from sluicegate._support.functions import is_async
from sluicegate.breaker import CircuitBreaker
from sluicegate.leaky_bucket import LeakyBucket
from sluicegate.metrics import InstrumentedRateLimiter
from sluicegate.redis import (
    ClusterRateLimiter,
    ConcurrencyLimiter,
    FixedWindow,
    RedisSlidingWindowRateLimiter,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
)
from sluicegate.redis import TokenBucket as RedisBucket

NOWHERE = "redis://127.0.0.1:1"
Pending = Coroutine[Any, Any, Any]

VERBS: dict[str, Callable[[], Pending]] = {
    "check": lambda: FixedWindow(NOWHERE, 1, 1).check("k"),
    "peek": lambda: FixedWindow(NOWHERE, 1, 1).peek("k"),
    "check_many": lambda: FixedWindow(NOWHERE, 1, 1).check_many(["k"]),
    "refund": lambda: FixedWindow(NOWHERE, 1, 1).refund("k"),
    "reset": lambda: FixedWindow(NOWHERE, 1, 1).reset("k"),
    "set_quota": lambda: FixedWindow(NOWHERE, 1, 1).set_quota(1, 1),
    "wait": lambda: FixedWindow(NOWHERE, 1, 1).wait("k"),
    "ping": lambda: FixedWindow(NOWHERE, 1, 1).ping(),
    "is_allowed, window": lambda: FixedWindow(NOWHERE, 1, 1).is_allowed("k"),
    "is_allowed, log": lambda: SlidingWindowRateLimiter(NOWHERE, 1, 1).is_allowed("k"),
    "is_allowed, segments": lambda: SegmentedWindow(NOWHERE, 1, 1).is_allowed("k"),
    "is_allowed, counter": lambda: SlidingWindowCounter(NOWHERE, 1, 1).is_allowed("k"),
    "is_allowed, bool": lambda: RedisSlidingWindowRateLimiter(NOWHERE).is_allowed("k"),
    "get_remaining": lambda: RedisSlidingWindowRateLimiter(NOWHERE).get_remaining("k"),
    "get_reset_time": lambda: RedisSlidingWindowRateLimiter(NOWHERE).get_reset_time("k"),
    "acquire": lambda: RedisBucket(NOWHERE, 5, 1).acquire("k"),
    "set_quota, bucket": lambda: RedisBucket(NOWHERE, 5, 1).set_quota(5, 1),
    "ring": lambda: ClusterRateLimiter([NOWHERE]).is_allowed("k", 1, 1),
    "try_acquire": lambda: ConcurrencyLimiter(NOWHERE, 1).try_acquire("k"),
    "in_use": lambda: ConcurrencyLimiter(NOWHERE, 1).in_use("k"),
    "wait, memory": lambda: InMemory().wait("k"),
    "acquire, memory": lambda: TokenBucket(5, 1).acquire(),
    "state": lambda: CircuitBreaker().state("k"),
    "execute": lambda: CircuitBreaker().execute("k", int),
    "submit": lambda: LeakyBucket(5, 1).submit("r"),
    "counted": lambda: InstrumentedRateLimiter(FixedWindow(NOWHERE, 1, 1), "t").is_allowed("k"),
}


def begun(name: str = "check") -> Pending:
    return VERBS[name]()


@pytest.mark.parametrize("name", VERBS)
def test_it_is_no_truth_value(name: str) -> None:
    pending = begun(name)
    try:
        with pytest.raises(TypeError, match=r"coroutine, .* before it is awaited: write `await"):
            bool(pending)
        with pytest.raises(TypeError, match="await"):
            assert not pending
    finally:
        pending.close()


@pytest.mark.parametrize("name", VERBS)
def test_it_is_a_coroutine_for_all_who_ask(name: str) -> None:
    pending = begun(name)
    try:
        assert isinstance(pending, collections.abc.Coroutine)
        assert issubclass(type(pending), collections.abc.Coroutine)
        assert asyncio.iscoroutine(pending)
        assert inspect.iscoroutine(pending)
        assert inspect.isawaitable(pending)
        assert inspect.getcoroutinestate(pending) == inspect.CORO_CREATED
        assert repr(pending).startswith("<coroutine object ")
        with pytest.raises(AttributeError, match="'coroutine' object has no attribute 'allowed'"):
            pending.allowed  # type: ignore[attr-defined]  # noqa: B018
        with pytest.raises(TypeError):
            iter(pending)  # type: ignore[call-overload]
        for copied in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="neither copied nor pickled"):
                copied(pending)
    finally:
        pending.close()
    assert inspect.getcoroutinestate(pending) == inspect.CORO_CLOSED


@pytest.mark.parametrize("name", VERBS)
def test_one_that_nobody_awaits_is_told_of(name: str) -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        begun(name)
        gc.collect()
    assert ["was never awaited" in str(each.message) for each in told] == [True]
    assert told[0].category is RuntimeWarning


def test_asyncio_may_ask_since_it_only_asks_whether_there_is_one() -> None:
    pending = begun()
    ask = "told = 'yes' if pending else 'no'"
    try:
        for module in ("asyncio.base_tasks", "asyncio"):
            asking: dict[str, Any] = {"__name__": module, "pending": pending}
            exec(ask, asking)
            assert asking["told"] == "yes"
        for module in ("asyncio_program", "__main__", None):
            with pytest.raises(TypeError, match="await"):
                exec(ask, {"__name__": module, "pending": pending})
        with pytest.raises(TypeError, match="await"):
            exec(ask, {"pending": pending})
    finally:
        pending.close()


def test_functions_that_make_them_are_coroutine_functions() -> None:
    for function in (FixedWindow(NOWHERE, 1, 1).check, FixedWindow.wait, RedisBucket.acquire):
        assert is_async(function)
        if sys.version_info >= (3, 12):
            assert inspect.iscoroutinefunction(function)
        elif sys.version_info < (3, 14):
            assert asyncio.iscoroutinefunction(function)
    assert not is_async(InMemory().check)


def test_the_signature_and_the_text_are_those_of_the_verb() -> None:
    assert str(inspect.signature(FixedWindow(NOWHERE, 1, 1).check)) == (
        "(key: 'str', cost: 'int' = 1, *, quota: 'Quota | str | None' = None) -> 'Decision'"
    )
    assert FixedWindow.check.__qualname__ == "AsyncLimiter.check"
    assert "Decide now" in (FixedWindow.check.__doc__ or "")


def test_nothing_is_sent_before_it_is_awaited(redis_server: Server) -> None:
    async def main() -> None:
        limiter = FixedWindow(redis_server.url, 2, 60)
        pending = limiter.check("a")
        await limiter.ping()
        await asyncio.sleep(0.02)
        assert (await limiter.peek("a")).remaining == 2
        assert (await pending).remaining == 1
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await pending

    run(main())


def test_asyncio_takes_it_in_every_way(redis_server: Server) -> None:
    limiter = FixedWindow(redis_server.url, 1_000, 3_600)

    async def main() -> list[int]:
        left = [(await limiter.check("a")).remaining]
        task = asyncio.create_task(limiter.check("a"), name="mine")
        assert "AsyncLimiter.check()" in repr(task)
        left.append((await task).remaining)
        left += [d.remaining for d in await asyncio.gather(*[limiter.check("a") for _ in range(3)])]
        left.append((await asyncio.wait_for(limiter.check("a"), 5)).remaining)
        left.append((await asyncio.shield(limiter.check("a"))).remaining)
        done, _ = await asyncio.wait([asyncio.ensure_future(limiter.check("a"))])
        left.append(done.pop().result().remaining)
        for first in asyncio.as_completed([limiter.check("a")]):
            left.append((await first).remaining)
        if sys.version_info >= (3, 11):
            async with asyncio.TaskGroup() as group:
                grouped = group.create_task(limiter.check("a"))
            left.append((await grouped).remaining)
        async with anyio.create_task_group() as other:
            other.start_soon(limiter.check, "a")
        left.append((await limiter.check("a")).remaining)
        return left

    for runner in (asyncio.run, lambda main: asyncio.run(main, debug=True), uvloop.run):
        left = runner(main())
        assert left == sorted(left, reverse=True)
        assert len(left) in (10, 11)
    assert asyncio.run(limiter.check("a")).remaining < 1_000
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(limiter.check("a"))
    loop.close()


def test_a_cancellation_reaches_it_and_its_exceptions_come_out() -> None:
    async def main() -> None:
        limiter = InMemory(1, 60)
        assert await limiter.wait("a")
        waiting = asyncio.create_task(limiter.wait("a"))
        await asyncio.sleep(0.01)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(ValueError, match="cost"):
            await limiter.wait("a", cost=2)

    asyncio.run(main())


def test_it_can_be_driven_by_hand() -> None:
    pending = TokenBucket(5, 1).acquire(2)
    with pytest.raises(StopIteration) as stopped:
        pending.send(None)
    assert stopped.value.value.remaining == 3
    other = InMemory().wait("k")
    with pytest.raises(KeyError):
        other.throw(KeyError("mine"))


def test_it_leaves_nothing_behind() -> None:
    class Owner:
        pass

    async def program(owner: Owner) -> None:
        await TokenBucket(5, 1).acquire(2)

    from sluicegate._core import Pending as Made

    owner = Owner()
    seen = weakref.ref(owner)
    made = Made(program(owner))
    asyncio.run(made)
    del owner, made
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize("name", ["check", "reset", "wait", "ping"])
def test_its_function_is_a_coroutine_function_for_all_who_ask(name: str) -> None:
    limiter = FixedWindow(NOWHERE, 1, 1)
    for function in (getattr(limiter, name), functools.partial(getattr(limiter, name), "k")):
        assert inspect.iscoroutinefunction(function)
    assert inspect.signature(limiter.check) == inspect.signature(
        limiter.check.__wrapped__.__get__(limiter)
    )
    assert limiter.check.__name__ == "check"
    assert "Decide now" in str(limiter.check.__doc__)


def test_it_is_driven_by_the_coroutines_own_methods() -> None:
    """An interpreter that ends kills daemon threads, and aborts where that meets a frame of Rust's."""

    async def nothing() -> None: ...

    coroutine = nothing()
    pending = _core.Pending(coroutine)
    for method in (pending.send, pending.throw, pending.close):
        assert getattr(method, "__self__", None) is coroutine
    pending.close()
