"""Where Redis is: what a ``redis`` argument stands for."""

from __future__ import annotations

from functools import lru_cache

from sluicegate._connection.client import is_client, settings_of_client
from sluicegate._connection.options import Settings
from sluicegate._connection.url import ACCEPTED, settings_of_url

__all__ = ["Settings", "settings_of"]


def settings_of(redis: object) -> Settings:
    """Settings from a URL or from a client of redis-py, which is only read; or those that are given.

    A client may be a ``Redis``, one of ``Sentinel.master_for``, or a ``RedisCluster``, of
    ``redis.asyncio`` or not. Its timeouts, retries, pool sizes and decoding do not count:
    a limiter has a deadline and connections of its own.

    Raises:
        TypeError: it is neither.
        ValueError: the URL is malformed, or a setting cannot be honoured; the message names
            it and never quotes a value.
    """
    if isinstance(redis, Settings):
        return redis
    if isinstance(redis, str):
        return _settings_of_url(redis)
    if is_client(redis):
        return settings_of_client(redis)
    kind = f"{type(redis).__module__}.{type(redis).__qualname__}"
    raise TypeError(
        f"redis must be a URL ({ACCEPTED}) or a redis-py client: Redis, RedisCluster or "
        f"Sentinel(...).master_for(...), got {kind}"
    )


# A program may make a limiter for every request.
_settings_of_url = lru_cache(maxsize=64)(settings_of_url)
