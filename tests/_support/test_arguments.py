"""One order and one name for the same argument wherever it is: buckets, acquire, windows."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from redis_programs import run
from redis_servers import Server
from sluicegate import Quota, TokenBucket, TokenBucketConfig
from sluicegate import redis as in_redis
from sluicegate.fastapi import rate_limit
from sluicegate.policy.algorithms import limiter_for

NOWHERE = "redis://127.0.0.1:1"

# Those of one article's bucket in memory, of the other one's in Redis, and of all other verbs.
ACQUIRE: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("llm", 3), {}),
    ((3, "llm"), {}),
    (("llm",), {"tokens": 3}),
    ((3,), {"key": "llm"}),
    ((), {"key": "llm", "tokens": 3}),
]


def test_acquire_takes_a_key_and_tokens_in_either_order() -> None:
    async def main() -> None:
        for arguments, named in ACQUIRE:
            bucket = TokenBucket(5, 0.001)
            assert (await bucket.acquire(*arguments, **named)).remaining == 2
            assert bucket.peek("llm").remaining == 2
        assert (await TokenBucket(5, 1).acquire()).remaining == 4
        assert (await TokenBucket(5, 1).acquire("llm")).remaining == 4
        bucket = TokenBucket(5, 0.001)
        await bucket.acquire(2)
        assert bucket.peek("").remaining == 3

    asyncio.run(main())


def test_acquire_does_so_in_redis(redis_server: Server) -> None:
    async def main() -> None:
        for number, (arguments, named) in enumerate([*ACQUIRE, (("llm",), {})]):
            bucket = in_redis.TokenBucket(redis_server.url, 5, 0.001, prefix=str(number))
            await bucket.acquire(*arguments, **named)
            assert (await bucket.peek("llm")).remaining == (2 if number < len(ACQUIRE) else 4)

    run(main())


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        (("a", "b"), {}, "got key 'a' and 'b'"),
        ((1, 2), {}, "got tokens 1 and 2"),
        (("a",), {"key": "b"}, "got key 'b' and 'a'"),
        ((1, "a"), {"tokens": 2}, "got tokens 2 and 1"),
        ((1.5, "a"), {}, "must be an int, got float 1.5"),
        ((None,), {"key": "a"}, "must be an int, got NoneType None"),
        ((True, "a"), {}, "must be an int, got bool True"),
        ((0, "a"), {}, "must be an int from 1"),
        ((), {"key": None}, "key must be a str, got NoneType None"),
    ],
)
def test_what_acquire_refuses(
    arguments: tuple[Any, ...], named: dict[str, Any], message: str
) -> None:
    for bucket in (TokenBucket(5, 1), in_redis.TokenBucket(NOWHERE, 5, 1)):
        acquire: Any = bucket.acquire
        with pytest.raises((TypeError, ValueError), match=message):
            asyncio.run(acquire(*arguments, **named))


def test_in_redis_acquire_needs_a_key() -> None:
    acquire: Any = in_redis.TokenBucket(NOWHERE, 5, 1).acquire
    for arguments in [(), (3,)]:
        with pytest.raises(TypeError, match="acquire needs a key"):
            asyncio.run(acquire(*arguments))


@pytest.mark.parametrize(
    "make",
    [
        lambda kind: kind(5, 0.5),
        lambda kind: kind(5, refill_rate=0.5),
        lambda kind: kind(capacity=5, refill_rate=0.5),
        lambda kind: kind(TokenBucketConfig(5, 0.5)),
        lambda kind: kind(config=TokenBucketConfig(5, 0.5)),
    ],
)
def test_a_bucket_is_made_in_the_same_ways_in_memory_and_in_redis(
    make: Callable[[Any], Any],
) -> None:
    for kind in (TokenBucket, functools.partial(in_redis.TokenBucket, NOWHERE)):
        bucket = make(kind)
        assert bucket.config == TokenBucketConfig(5, 0.5)
        assert (bucket.limit, bucket.window_seconds) == (5, 10)


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        ((), {}, "either config, or capacity and refill_rate"),
        ((5,), {}, "either config, or capacity"),
        ((), {"capacity": 5}, "either config, or capacity"),
        ((TokenBucketConfig(5, 1), 1), {}, "either config, or capacity"),
        ((5, 1), {"capacity": 5}, "either config, or capacity"),
        ((TokenBucketConfig(5, 1),), {"capacity": 5}, "either config, or capacity"),
        (("5",), {}, "quota '5': this cannot be read"),
        ((b"5",), {}, "config must be a TokenBucketConfig or a quota, got bytes b'5'"),
        (("5", 1), {}, "capacity must be an int, got str '5'"),
        ((5, "1"), {}, "refill_rate must be an int or a float, got str '1'"),
        ((0, 1), {}, "capacity must be an int from 1"),
    ],
)
def test_what_a_bucket_refuses(
    arguments: tuple[Any, ...], named: dict[str, Any], message: str
) -> None:
    remote: Any = in_redis.TokenBucket
    for kind in (TokenBucket, functools.partial(remote, NOWHERE)):
        with pytest.raises((TypeError, ValueError), match=message):
            kind(*arguments, **named)
    before = remote(NOWHERE, 7, 1)
    with pytest.raises((TypeError, ValueError), match=message):
        asyncio.run(before.set_quota(*arguments, **named))
    assert before.config == TokenBucketConfig(7, 1)


class Mine(TokenBucket):
    """A bucket with a name of its own."""


@pytest.mark.parametrize("algorithm", [TokenBucket, Mine, functools.partial(Mine, max_keys=5)])
def test_a_buckets_class_as_an_algorithm_fills_up_in_the_window(algorithm: Any) -> None:
    bucket = limiter_for(algorithm, Quota(100, 60))
    assert bucket.config == TokenBucketConfig(100, 100 / 60)


def app_of(*arguments: Any, **named: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/")
    async def root(info: dict = rate_limit(*arguments, **named)) -> int:  # type: ignore[type-arg]
        return int(info["remaining"])

    return app


@pytest.mark.parametrize(
    "named", [{}, {"window_seconds": 60}, {"window": 60}, {"window_seconds": 7}, {"window": 7.5}]
)
def test_rate_limit_has_window_seconds_and_window(named: dict[str, Any]) -> None:
    seconds = next(iter(named.values()), 60)
    fields = TestClient(app_of(10, **named)).get("/").headers["ratelimit-policy"]
    assert fields == f'"route";q=10;w={-(-seconds // 1):.0f}'
    assert TestClient(app_of(10, seconds)).get("/").headers["ratelimit-policy"] == fields


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((10, 60), {"window": 60}), ((10,), {"window_seconds": 60, "window": 30})],
)
def test_rate_limit_takes_one_window(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="window_seconds and window are the same: pass one"):
        app_of(*arguments, **named)


def test_the_signatures_say_window_seconds() -> None:
    assert list(inspect.signature(rate_limit).parameters)[:2] == ["limit", "window_seconds"]
    assert inspect.signature(rate_limit).parameters["window_seconds"].default == 60
    with pytest.raises((TypeError, ValueError), match="window_seconds"):
        app_of(10, window_seconds=-1)
