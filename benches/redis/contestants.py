"""One function a library: given a URL, how it decides a check. Adding one is ten lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import cycle
from typing import Any

PLENTY = 1_000_000_000
MOST_CONNECTIONS = 50

Check = Callable[[], Awaitable[Any]]
Contestant = Callable[[str], Awaitable[Check]]

#: Whom the next check is for: on a Cluster clients are spread over all masters.
next_client = cycle([f"client:{number:06}" for number in range(1_000)]).__next__


def is_cluster(url: str) -> bool:
    return url.startswith("redis+cluster://")


def plain(url: str) -> str:
    """The URL of one server, the first one of a Cluster, as other libraries want it."""
    return url.replace("redis+cluster://", "redis://").split(",")[0]


def script_of(algorithm: str) -> str:
    """The text of sluicegate's own script."""
    from sluicegate import redis

    name = {
        "token_bucket": "TokenBucket",
        "fixed_window": "FixedWindow",
        "segmented_window": "SegmentedWindow",
        "sliding_counter": "SlidingWindowCounter",
        "sliding_log": "SlidingWindowRateLimiter",
    }[algorithm]
    text: str = getattr(redis, name)("redis://127.0.0.1:1", 1, 1)._core.script
    return text


async def bucket(url: str) -> Check:
    from sluicegate import TokenBucketConfig
    from sluicegate.redis import TokenBucket

    limiter = TokenBucket(url, TokenBucketConfig(PLENTY, 1_000_000))
    return lambda: limiter.check(next_client())


async def log(url: str) -> Check:
    from sluicegate.redis import SlidingWindowRateLimiter

    limiter = SlidingWindowRateLimiter(url, 16_000_000, 0.01)
    return lambda: limiter.check(next_client())


async def counter(url: str) -> Check:
    from sluicegate.redis import SlidingWindowCounter

    limiter = SlidingWindowCounter(url, PLENTY, 1)
    return lambda: limiter.check(next_client())


async def window(url: str) -> Check:
    from sluicegate.redis import FixedWindow

    limiter = FixedWindow(url, PLENTY, 1)
    return lambda: limiter.check(next_client())


async def segments(url: str) -> Check:
    from sluicegate.redis import SegmentedWindow

    limiter = SegmentedWindow(url, PLENTY, 1)
    return lambda: limiter.check(next_client())


def redis_client(url: str) -> Any:
    """redis-py with hiredis, with as many connections as it is quickest with."""
    import redis.asyncio as redis

    if is_cluster(url):
        return redis.RedisCluster.from_url(plain(url))
    pool = redis.BlockingConnectionPool.from_url(
        url, max_connections=MOST_CONNECTIONS, timeout=None
    )
    return redis.Redis(connection_pool=pool)


async def redis_py(url: str) -> Check:
    """A bare EVALSHA of sluicegate's own script."""
    client = redis_client(url)
    digest = await client.script_load(script_of("token_bucket"))
    return lambda: client.evalsha(digest, 1, next_client(), "c", 1, PLENTY, 1, 1, 0)


async def limits_window(url: str) -> Check:
    from limits import parse
    from limits.aio.strategies import FixedWindowRateLimiter
    from limits.storage import storage_from_string

    storage = storage_from_string("async+" + url, implementation="redispy")
    limiter, quota = FixedWindowRateLimiter(storage), parse("1000000/second")
    return lambda: limiter.hit(quota, next_client())


async def limits_log(url: str) -> Check:
    from limits import parse
    from limits.aio.strategies import MovingWindowRateLimiter
    from limits.storage import storage_from_string

    storage = storage_from_string("async+" + url, implementation="redispy")
    limiter, quota = MovingWindowRateLimiter(storage), parse("1000/second")
    return lambda: limiter.hit(quota, next_client())


async def throttled_bucket(url: str) -> Check:
    from throttled.asyncio import RateLimiterType, Throttled, per_sec
    from throttled.asyncio.store import RedisStore

    limiter = Throttled(
        using=RateLimiterType.TOKEN_BUCKET.value,
        quota=per_sec(1_000_000, burst=PLENTY),
        store=RedisStore(server=url, options={"MAX_CONNECTIONS": 600}),
    )
    return lambda: limiter.limit(next_client())


async def fastapi_limiter(url: str) -> Check:
    """Its check alone, without the dependency around it."""
    from fastapi_limiter import FastAPILimiter
    from fastapi_limiter.depends import RateLimiter

    await FastAPILimiter.init(redis_client(url))
    limiter = RateLimiter(times=PLENTY, seconds=1)
    return lambda: limiter._check(next_client())


async def glide(url: str) -> Check:
    """A bare script by valkey-glide, whose core is in Rust too."""
    from urllib.parse import urlsplit

    import glide as g

    place = urlsplit(plain(url))
    addresses = [g.NodeAddress(place.hostname or "localhost", place.port or 6379)]
    client: Any
    if is_cluster(url):
        settings = g.GlideClusterClientConfiguration(addresses, request_timeout=5_000)
        client = await g.GlideClusterClient.create(settings)
    else:
        client = await g.GlideClient.create(
            g.GlideClientConfiguration(addresses, request_timeout=5_000)
        )
    script = g.Script(script_of("token_bucket"))
    arguments = ["c", "1", str(PLENTY), "1", "1", "0"]
    return lambda: client.invoke_script(script, keys=[next_client()], args=arguments)


CONTESTANTS: dict[str, Contestant] = {
    "sluicegate: token bucket": bucket,
    "sluicegate: fixed window": window,
    "sluicegate: segments": segments,
    "sluicegate: sliding counter": counter,
    "sluicegate: exact log": log,
    "redis-py, a bare EVALSHA": redis_py,
    "limits: fixed window": limits_window,
    "limits: moving window": limits_log,
    "throttled-py: token bucket": throttled_bucket,
    "fastapi-limiter 0.1.6: fixed window": fastapi_limiter,
    "valkey-glide, a bare script": glide,
}

ON_A_CLUSTER = [
    name for name in CONTESTANTS if not name.startswith(("throttled-py", "fastapi-limiter"))
]
