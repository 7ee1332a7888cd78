"""Where Redis is, from a redis-py client: its own settings, read but never used to connect.

redis-py is not imported here; who has a client has imported it.
"""

from __future__ import annotations

import os
from typing import Any

from sluicegate._connection.options import Nodes, Settings, number, settings_from, text

__all__ = ["is_client", "settings_of_client"]

_SINGLE = {("redis.client", "Redis"), ("redis.asyncio.client", "Redis")}
_CLUSTER = {("redis.cluster", "RedisCluster"), ("redis.asyncio.cluster", "RedisCluster")}
_MODULES = {"redis.connection", "redis.asyncio.connection"}
_SENTINEL_MODULES = {"redis.sentinel", "redis.asyncio.sentinel"}


def is_client(client: object) -> bool:
    """Whether it is a client of redis-py, asynchronous or not, for one server or a cluster."""
    return _is_any(client, _SINGLE | _CLUSTER)


def settings_of_client(client: Any) -> Settings:
    """Settings from a client for which :func:`is_client` is true.

    Raises:
        ValueError: it has a setting that cannot be honoured; the message names it.
    """
    if _is_any(client, _CLUSTER):
        return _of_cluster(client)
    pool = client.connection_pool
    if _of_sentinels(pool):
        return _of_service(pool)
    kind = _connection_kind(pool.connection_class, _MODULES)
    options: dict[str, Any] = pool.connection_kwargs
    if kind == "UnixDomainSocketConnection":
        path = options.get("path")
        path = text("path", os.fspath(path) if isinstance(path, os.PathLike) else path)
        if path is None:
            raise ValueError("redis must have the path of its Unix socket")
        return settings_from(options, "standalone", unix_path=path)
    # Without a host or a port, redis-py's connections use these.
    node = _node(options.get("host", "localhost"), options.get("port", 6379))
    return settings_from(options, "standalone", (node,), tls=kind == "SSLConnection")


def _of_service(pool: Any) -> Settings:
    if not pool.is_master:
        raise ValueError("redis must be of Sentinel.master_for: a replica cannot count")
    manager = pool.sentinel_manager
    for name in ("min_other_sentinels", "_force_master_ip"):
        if getattr(manager, name, None):
            raise ValueError(f"redis must not have {name.lstrip('_')}: it cannot be honoured")
    kind = _connection_kind(pool.connection_class, _SENTINEL_MODULES)
    sentinels = [settings_of_client(sentinel) for sentinel in manager.sentinels]
    if not sentinels:
        raise ValueError("redis must have at least one sentinel")
    first = sentinels[0]
    options = {
        **pool.connection_kwargs,
        "sentinel_username": first.username,
        "sentinel_password": first.password,
    }
    nodes: Nodes = tuple(node for sentinel in sentinels for node in sentinel.nodes)
    tls = kind == "SentinelManagedSSLConnection"
    service = text("service", pool.service_name)
    settings = settings_from(options, "sentinel", nodes, tls=tls, service=service)
    if any(_tls(sentinel) != _tls(settings) for sentinel in sentinels):
        raise ValueError(
            "redis must have the same TLS settings for the sentinels (sentinel_kwargs) "
            "as for the server: two kinds cannot be honoured"
        )
    return settings


def _of_cluster(client: Any) -> Settings:
    manager = client.nodes_manager
    # The asynchronous client has the options, the other one's manager has them.
    options: dict[str, Any] = dict(getattr(client, "connection_kwargs", manager.connection_kwargs))
    for name in ("address_remap", "user_on_connect_func"):
        if getattr(manager, name, None) or getattr(client, name, None):
            named = "redis_connect_func" if name == "user_on_connect_func" else name
            raise ValueError(f"redis must not have {named}: it cannot be honoured")
    # The client's own, for reading from replicas. A limiter only ever writes.
    options.pop("redis_connect_func", None)
    tls = bool(options.get("ssl"))
    if "connection_class" in options:
        kind = _connection_kind(options["connection_class"], _MODULES)
        if kind == "UnixDomainSocketConnection":
            raise ValueError("redis must not be a Unix socket in a cluster")
        tls = tls or kind == "SSLConnection"
    nodes = tuple(_node(node.host, node.port) for node in manager.startup_nodes.values())
    return settings_from(options, "cluster", nodes, tls=tls)


def _is_any(thing: object, names: set[tuple[str, str]]) -> bool:
    return any((kind.__module__, kind.__name__) in names for kind in type(thing).__mro__)


def _of_sentinels(pool: object) -> bool:
    return _is_any(pool, {(module, "SentinelConnectionPool") for module in _SENTINEL_MODULES})


def _connection_kind(kind: object, modules: set[str]) -> str:
    # Exactly these: what a subclass does on connecting is not known.
    if isinstance(kind, type) and kind.__module__ in modules:
        return kind.__name__
    name = getattr(kind, "__qualname__", type(kind).__qualname__)
    raise ValueError(f"redis must not have connection_class {name}: it cannot be honoured")


def _tls(settings: Settings) -> tuple[object, ...]:
    return (
        settings.tls,
        settings.tls_insecure,
        settings.ca_file,
        settings.cert_file,
        settings.key_file,
    )


def _node(host: object, port: object) -> tuple[str, int]:
    name = text("host", host)
    if name is None:
        raise ValueError("redis must have a host")
    return name.lower(), number("port", port, 1, 65535)
