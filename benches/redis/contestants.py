"""One function a library: given a URL, how it decides one check. Adding one is ten lines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parents[2] / "src" / "store" / "scripts"
PLENTY = 1_000_000_000

Check = Callable[[], Awaitable[Any]]
Contestant = Callable[[str], Awaitable[Check]]


async def bucket(url: str) -> Check:
    from sluicegate import TokenBucketConfig
    from sluicegate.redis import TokenBucket

    limiter = TokenBucket(url, TokenBucketConfig(PLENTY, 1_000_000))
    return lambda: limiter.check("client")


async def log(url: str) -> Check:
    from sluicegate.redis import SlidingWindowRateLimiter

    limiter = SlidingWindowRateLimiter(url, 16_000_000, 0.01)
    return lambda: limiter.check("client")


async def counter(url: str) -> Check:
    from sluicegate.redis import SlidingWindowCounter

    limiter = SlidingWindowCounter(url, PLENTY, 1)
    return lambda: limiter.check("client")


async def window(url: str) -> Check:
    from sluicegate.redis import FixedWindow

    limiter = FixedWindow(url, PLENTY, 1)
    return lambda: limiter.check("client")


async def redis_py(url: str) -> Check:
    """A bare EVALSHA of sluicegate's own script."""
    import redis.asyncio as redis

    pool = redis.BlockingConnectionPool.from_url(url, max_connections=50, timeout=None)
    client = redis.Redis(connection_pool=pool)
    digest = await client.script_load((SCRIPTS / "token_bucket.lua").read_text())
    return lambda: client.evalsha(digest, 1, "redis-py", "c", 1, PLENTY, 1, 1, 0)


async def limits_window(url: str) -> Check:
    from limits import parse
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import FixedWindowRateLimiter

    storage = RedisStorage("async+" + url, implementation="redispy")
    limiter, quota = FixedWindowRateLimiter(storage), parse(f"{PLENTY} per minute")
    return lambda: limiter.hit(quota, "client")


async def limits_log(url: str) -> Check:
    from limits import parse
    from limits.aio.storage import RedisStorage
    from limits.aio.strategies import MovingWindowRateLimiter

    storage = RedisStorage("async+" + url, implementation="redispy")
    limiter, quota = MovingWindowRateLimiter(storage), parse("1000 per second")
    return lambda: limiter.hit(quota, "client")


async def throttled_bucket(url: str) -> Check:
    from throttled.asyncio import RateLimiterType, Throttled, per_sec
    from throttled.asyncio.store import RedisStore

    store = RedisStore(server=url, options={"MAX_CONNECTIONS": 600})
    limiter = Throttled(
        using=RateLimiterType.TOKEN_BUCKET.value,
        quota=per_sec(1_000_000, burst=PLENTY),
        store=store,
    )
    return lambda: limiter.limit("client")


async def glide(url: str) -> Check:
    """A bare script by valkey-glide, whose core is in Rust too."""
    from urllib.parse import urlsplit

    from glide import GlideClient, GlideClientConfiguration, NodeAddress, Script

    place = urlsplit(url)
    address = NodeAddress(place.hostname or "localhost", place.port or 6379)
    client = await GlideClient.create(GlideClientConfiguration([address], request_timeout=5_000))
    script = Script((SCRIPTS / "token_bucket.lua").read_text())
    arguments = ["c", "1", str(PLENTY), "1", "1", "0"]
    return lambda: client.invoke_script(script, keys=["glide"], args=arguments)


CONTESTANTS: dict[str, Contestant] = {
    "sluicegate: token bucket": bucket,
    "sluicegate: fixed window": window,
    "sluicegate: sliding counter": counter,
    "sluicegate: exact log": log,
    "redis-py, a bare EVALSHA": redis_py,
    "limits: fixed window": limits_window,
    "limits: moving window": limits_log,
    "throttled-py: token bucket": throttled_bucket,
    "valkey-glide, a bare script": glide,
}
