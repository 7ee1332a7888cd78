"""Which limiters get into another process, and how: made anew in one that is being started."""

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
import redis.asyncio as aioredis

from redis_servers import Server
from sluicegate import (
    ConcurrencyLimiter,
    FixedWindow,
    ManualClock,
    SegmentedWindow,
    SlidingWindowCounter,
    SlidingWindowRateLimiter,
    TokenBucket,
    TokenBucketConfig,
)
from sluicegate import redis as in_redis
from sluicegate.breaker import CircuitBreaker, CircuitConfig
from sluicegate.leaky_bucket import LeakyBucket
from sluicegate.metrics import InstrumentedRateLimiter

PROCESSES = [multiprocessing.get_context(way) for way in ("spawn", "forkserver")]

FAR = "redis://:hunter2@127.0.0.1:1/0"

REMOTE: dict[str, Callable[[Any], Any]] = {
    "window": lambda url: in_redis.FixedWindow(url, 5, 3_600),
    "log": lambda url: in_redis.SlidingWindowRateLimiter(url, 5, 3_600),
    "segments": lambda url: in_redis.SegmentedWindow(url, 5, 3_600),
    "counter": lambda url: in_redis.SlidingWindowCounter(url, 5, 3_600),
    "bucket": lambda url: in_redis.TokenBucket(url, 5, 0.001),
    "bools": lambda url: in_redis.RedisSlidingWindowRateLimiter(url, 5, 3_600),
    "ring": lambda url: in_redis.ClusterRateLimiter([url], replicas=7),
    "permits": lambda url: in_redis.ConcurrencyLimiter(url, 5, lease_seconds=20),
    "circuits": lambda url: CircuitBreaker(url, CircuitConfig(failure_threshold=2)),
}

HERE: dict[str, Callable[[], Any]] = {
    "window": lambda: FixedWindow(5, 60),
    "log": lambda: SlidingWindowRateLimiter(),
    "segments": lambda: SegmentedWindow(5, 60),
    "counter": lambda: SlidingWindowCounter(5, 60),
    "bucket": lambda: TokenBucket(5, 1),
    "permits": lambda: ConcurrencyLimiter(5),
    "circuits": lambda: CircuitBreaker(),
    "leaky": lambda: LeakyBucket(5, 1),
    "counted": lambda: InstrumentedRateLimiter(FixedWindow(5, 60), "free"),
}


def fail() -> None:
    raise OSError


async def use(limiter: Any) -> object:
    """Spend one of five; what is left, or how it is."""
    if isinstance(limiter, in_redis.ClusterRateLimiter):
        return (await limiter.is_allowed("k", 5, 3_600)).remaining
    if isinstance(limiter, in_redis.ConcurrencyLimiter):
        async with limiter.permit("k"):
            return await limiter.in_use("k")
    if isinstance(limiter, CircuitBreaker):
        with pytest.raises(OSError):  # noqa: PT011
            await limiter.execute("k", fail)
        return (await limiter.state("k")).value
    return (await limiter.check("k")).remaining


def use_in_child(limiter: Any, answers: Any) -> None:
    answers.put(asyncio.run(use(limiter)))


AFTER = {"permits": 1, "circuits": "open"}


@pytest.mark.parametrize("way", PROCESSES, ids=["spawn", "forkserver"])
@pytest.mark.parametrize("name", REMOTE)
def test_one_in_redis_goes_to_a_process_that_is_started_with_it(
    name: str, way: Any, redis_server: Server
) -> None:
    limiter = REMOTE[name](redis_server.url)
    asyncio.run(use(limiter))
    answers = way.SimpleQueue()
    child = way.Process(target=use_in_child, args=(limiter, answers))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    # It counts where the parent does: of five two are spent.
    assert answers.get() == AFTER.get(name, 3)


_pool: list[Any] = []


def _begin(limiter: Any) -> None:
    _pool.append(limiter)


def _use_begun() -> object:
    return asyncio.run(use(_pool[0]))


def test_a_pool_gets_one_by_its_initializer_and_none_by_its_queue(redis_server: Server) -> None:
    client = aioredis.from_url(redis_server.url)
    limiter = in_redis.FixedWindow(client, 5, 3_600, prefix="mine")
    asyncio.run(limiter.set_quota(9, 3_600))
    pool = ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(limiter,)
    )
    with pool:
        # With the quota of now, and with the settings of a client, which is not pickled.
        assert pool.submit(_use_begun).result(60) == 8
        with pytest.raises(TypeError, match="initargs= of a pool"):
            pool.submit(use, limiter).result(60)


@pytest.mark.parametrize("name", REMOTE)
def test_nothing_else_gets_its_password(name: str) -> None:
    limiter = REMOTE[name](FAR)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError, match="by a function that returns it") as refused:
            pickle.dumps(limiter, protocol)
        assert "hunter2" not in str(refused.value)
        assert type(limiter).__name__ in str(refused.value)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("name", REMOTE)
def test_a_copy_of_one_in_redis_counts_in_the_same_place(
    name: str, copied: Callable[[Any], Any], redis_server: Server
) -> None:
    async def main() -> None:
        limiter = REMOTE[name](redis_server.url)
        other = copied(limiter)
        assert other is not limiter
        assert type(other) is type(limiter)
        await use(limiter)
        assert await use(other) == AFTER.get(name, 3)

    asyncio.run(main())


def test_a_copy_has_all_the_settings() -> None:
    config = TokenBucketConfig(5, 0.5)
    bucket = in_redis.TokenBucket(
        FAR, config, prefix="p", timeout=3, on_error="closed", workers=2, remember=False
    )
    asyncio.run(bucket.set_quota(6, 0.5))
    other = copy.copy(bucket)
    assert other.config == TokenBucketConfig(6, 0.5)
    assert bucket.config == other.config
    assert other._made_of == bucket._made_of
    assert other._made_of[1] == {
        "prefix": "p",
        "timeout": 3,
        "on_error": "closed",
        "workers": 2,
        "remember": False,
    }
    asyncio.run(other.set_quota(7, 0.5))
    assert bucket.limit == 6
    ring = copy.copy(in_redis.ClusterRateLimiter([FAR, "redis://127.0.0.1:2"], replicas=7))
    assert ring.ring.replicas == 7
    assert len(ring.ring.nodes) == 2
    permits = in_redis.ConcurrencyLimiter(FAR, 3, lease_seconds=9, timeout=2, on_error="open")
    assert copy.copy(permits).lease_seconds == 9
    assert copy.copy(permits)._made_of == permits._made_of
    breaker = CircuitBreaker(FAR, CircuitConfig(timeout=7), exceptions=OSError, ignored=KeyError)
    assert copy.copy(breaker).config == breaker.config
    assert copy.copy(breaker)._admitter.failures == (OSError,)
    assert copy.copy(breaker)._admitter.ignored == (KeyError,)


class Named(in_redis.FixedWindow):
    """One with a constructor of its own, and something to remember."""

    def __init__(self, name: str) -> None:
        super().__init__(FAR, 5, 60)
        self.name = name


def test_a_derived_class_is_made_anew_as_well() -> None:
    other = copy.deepcopy(Named("mine"))
    assert type(other) is Named
    assert (other.name, other.limit) == ("mine", 5)


@pytest.mark.parametrize("name", HERE)
def test_one_in_memory_stays_where_its_counts_are(name: str) -> None:
    limiter = HERE[name]()
    with pytest.raises(TypeError, match=r"cannot be pickled: its .* are in this process"):
        pickle.dumps(limiter)


@pytest.mark.parametrize("name", HERE)
def test_one_in_memory_is_not_taken_along_to_a_process_either(name: str) -> None:
    (spawn, _) = PROCESSES
    child = spawn.Process(target=print, args=(HERE[name](),))
    with pytest.raises(TypeError, match="by a function that returns it"):
        child.start()


def test_a_clock_stays_too() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(ManualClock())
