"""Article 2's limiter over independent servers, each in charge of a part of the keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sluicegate._core import Decision
from sluicegate._hash_ring import ConsistentHashRing
from sluicegate._redis_limiter import AsyncLimiter, OnError

__all__ = ["ClusterRateLimiter"]

# A quota comes with each call; so many different ones are kept ready for each node.
_MOST_QUOTAS = 256


class ClusterRateLimiter:
    """Counts each key at one of several independent servers, chosen by consistent hashing.

    A node that is down falls under ``on_error``: its keys are not handed to another node,
    where their count would begin anew. For a Redis Cluster, give one of the limiters of
    :mod:`sluicegate.redis` a ``redis+cluster://`` URL instead.

    Args:
        redis_nodes: the servers (article 2: a list of them): URLs, or ``redis.asyncio`` clients,
            which are called ``host:port/db`` on the ring.
        replicas: points of each node on the ring.
        timeout, on_error, workers, remember: as :class:`~sluicegate.redis.FixedWindow`.
    """

    __slots__ = ("_limiters", "_nodes", "_options", "ring")

    def __init__(
        self,
        redis_nodes: Iterable[object],
        *,
        replicas: int = 100,
        timeout: float = 0.25,
        on_error: OnError = "local",
        workers: int = 1,
        remember: bool = True,
    ) -> None:
        if isinstance(redis_nodes, str | bytes) or not isinstance(redis_nodes, Iterable):
            kind = type(redis_nodes).__name__  # not the value: it may have a password
            raise TypeError(f"redis_nodes must be a list of servers, got one {kind}")
        nodes = [(_name(node), node) for node in redis_nodes]
        if not nodes:
            raise ValueError("redis_nodes must name at least one server, got []")
        self.ring = ConsistentHashRing([name for name, _ in nodes], replicas)
        self._nodes = dict(nodes)
        self._options: dict[str, Any] = {
            "timeout": timeout,
            "on_error": on_error,
            "workers": workers,
            "remember": remember,
        }
        self._limiters: dict[tuple[str, int, float], AsyncLimiter] = {}
        self._limiter(nodes[0][0], 1, 1)  # checks the options

    async def is_allowed(self, key: str, limit: int, window: float) -> Decision:
        """Spend one unit of ``key`` from ``limit`` per ``window`` seconds (the exact log).

        Unpacks as ``(allowed, info)``, as in article 2.
        """
        node = self.ring.get_node(key)
        if node is None:
            raise ValueError("redis_nodes are all removed: add one with add_node")
        return await self._limiter(node, limit, window).check(key)

    def add_node(self, node: object) -> None:
        """Add a server: about 1/n of the keys move to it, and begin anew there."""
        name = _name(node)
        self._nodes.setdefault(name, node)
        self.ring.add_node(name)

    def remove_node(self, node: object) -> None:
        """Remove a server: its keys move to the others, and its connection closes."""
        name = node if isinstance(node, str) else _name(node)
        self.ring.remove_node(name)
        del self._nodes[name]
        for quota in list(self._limiters):
            if quota[0] == name:
                self._drop(quota)

    def get_node(self, key: str) -> str | None:
        """The server that is in charge of a key."""
        return self.ring.get_node(key)

    def _limiter(self, node: str, limit: int, window: float) -> AsyncLimiter:
        from sluicegate.redis import SlidingWindowRateLimiter

        quota = (node, limit, window)
        if not (isinstance(limit, int) and isinstance(window, int | float)):
            raise TypeError(f"limit and window must be numbers, got {limit!r} and {window!r}")
        limiter = self._limiters.get(quota)
        if limiter is None:
            limiter = SlidingWindowRateLimiter(self._nodes[node], limit, window, **self._options)
            if len(self._limiters) >= _MOST_QUOTAS:
                self._drop(next(iter(self._limiters)))
            self._limiters[quota] = limiter
        return limiter

    def _drop(self, quota: tuple[str, int, float]) -> None:
        limiter = self._limiters.pop(quota, None)
        if limiter is not None:
            limiter._core.close()  # aclose would not know of it

    async def aclose(self) -> None:
        """Close the connections, unless other limiters use them."""
        for limiter in self._limiters.values():
            await limiter.aclose()
        self._limiters.clear()

    async def __aenter__(self) -> ClusterRateLimiter:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _name(node: object) -> str:
    from sluicegate._redis_settings import settings_of

    settings = settings_of(node)
    if isinstance(node, str):
        return node
    nodes = ",".join(f"{host}:{port}" for host, port in settings.nodes)
    return f"{nodes or settings.unix_path}/{settings.db}"
