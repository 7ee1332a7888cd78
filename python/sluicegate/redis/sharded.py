"""A limiter over independent servers, each in charge of a part of the keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, overload

from sluicegate._connection.on_error import OnError
from sluicegate._core import Decision, Quota
from sluicegate._support.pending import to_be_awaited
from sluicegate._support.pickling import MadeAnew
from sluicegate.redis.hash_ring import ConsistentHashRing
from sluicegate.redis.limiter import AsyncLimiter
from sluicegate.redis.node import Node

if TYPE_CHECKING:
    from sluicegate._support.pickling import Plan

__all__ = ["ClusterRateLimiter"]

# A quota comes with each call; so many different ones are kept ready for each node.
_MOST_QUOTAS = 256
_NO_NODES = "redis_nodes are all removed: add one with add_node"


class ClusterRateLimiter(MadeAnew):
    """Counts each key at one of several independent servers, chosen by consistent hashing.

    A node that is down falls under ``on_error``: its keys are not handed to another node,
    where their count would begin anew. For a Redis Cluster, give one of the limiters of
    :mod:`sluicegate.redis` a ``redis+cluster://`` URL instead.

    A server is called ``host:port/db`` on the ring (a socket ``path/db``), however it is given:
    a new password, TLS or another option moves no key.

    Args:
        redis_nodes: the servers: a list of URLs or ``redis.asyncio`` clients.
        replicas: points of each node on the ring.
        timeout, on_error, workers, remember: as :class:`~sluicegate.redis.FixedWindow`.

    Raises:
        ValueError, TypeError: an argument out of its range, or two nodes that are the same
            server and database; the message names it.
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
        self._nodes: dict[str, Node] = {}
        for redis in redis_nodes:
            node = Node.of(redis)
            if node.name in self._nodes:
                raise ValueError(f"redis_nodes must name each server once, got {node.name} twice")
            self._nodes[node.name] = node
        if not self._nodes:
            raise ValueError("redis_nodes must name at least one server, got []")
        self.ring = ConsistentHashRing(self._nodes, replicas)
        self._options: dict[str, Any] = {
            "timeout": timeout,
            "on_error": on_error,
            "workers": workers,
            "remember": remember,
        }
        self._limiters: dict[tuple[Any, ...], AsyncLimiter] = {}
        self._limiter(next(iter(self._nodes)), 1, 1)  # checks the options

    def _plan(self) -> Plan:
        options = {"replicas": self.ring.replicas, **self._options}
        return ClusterRateLimiter, ([node.settings for node in self._nodes.values()],), options

    @overload
    async def is_allowed(self, key: str, limit: Quota | str) -> Decision: ...
    @overload
    async def is_allowed(self, key: str, limit: int, window: float) -> Decision: ...
    @to_be_awaited
    async def is_allowed(self, key: str, limit: Quota | str | int, window: Any = ...) -> Decision:
        """Spend one unit of ``key`` from ``limit`` per ``window`` seconds (the exact log).

        ``is_allowed(key, "100/minute")`` takes a quota or its text instead of both. A Decision, which
        unpacks as ``(allowed, info)``. Costs a round trip to the key's server.

        Raises ``TypeError`` or ``ValueError`` for an argument out of its range, and with
        ``on_error="raise"`` :class:`~sluicegate.errors.StoreError`.
        """
        return await self._in_charge(key, limit, window).check(key)

    @overload
    def is_allowed_sync(self, key: str, limit: Quota | str) -> Decision: ...
    @overload
    def is_allowed_sync(self, key: str, limit: int, window: float) -> Decision: ...
    def is_allowed_sync(self, key: str, limit: Quota | str | int, window: Any = ...) -> Decision:
        """:meth:`is_allowed` that blocks its thread, from any number of threads."""
        return self._in_charge(key, limit, window).check_sync(key)

    @overload
    async def clear(self, limit: Quota | str) -> None: ...
    @overload
    async def clear(self, limit: int, window: float) -> None: ...
    @to_be_awaited
    async def clear(self, limit: Quota | str | int, window: Any = ...) -> None:
        """Forget every key of this quota at every server, one server after the other.

        Arguments as of :meth:`is_allowed`. Costs and raises as :meth:`sluicegate.redis.FixedWindow.clear`.
        """
        for limiter in self._everywhere(limit, window):
            await limiter.clear()

    @overload
    def clear_sync(self, limit: Quota | str) -> None: ...
    @overload
    def clear_sync(self, limit: int, window: float) -> None: ...
    def clear_sync(self, limit: Quota | str | int, window: Any = ...) -> None:
        """:meth:`clear` that blocks its thread; where an event loop runs it is a ``RuntimeError``."""
        for limiter in self._everywhere(limit, window):
            limiter.clear_sync()

    def _everywhere(self, limit: Quota | str | int, window: Any) -> list[AsyncLimiter]:
        """One limiter at each server."""
        quota = (limit,) if window is ... else (limit, window)
        nodes = list(self._nodes)
        if not nodes:
            raise ValueError(_NO_NODES)
        return [self._limiter(node, *quota) for node in nodes]

    def _in_charge(self, key: str, limit: Quota | str | int, window: Any) -> AsyncLimiter:
        node = self.ring.get_node(key)
        if node is None:
            raise ValueError(_NO_NODES)
        quota = (limit,) if window is ... else (limit, window)
        return self._limiter(node, *quota)

    def add_node(self, node: object) -> None:
        """Add a server: about 1/n of the keys move to it, and begin anew there.

        One that is there already changes nothing. Raises ``ValueError`` if it is there with
        another password, TLS or other option: remove it first.
        """
        new = Node.of(node)
        known = self._nodes.setdefault(new.name, new)
        if known.settings != new.settings:
            raise ValueError(
                f"node must not be there with other options, got {new.name}: remove it first"
            )
        self.ring.add_node(new.name)

    def remove_node(self, node: object) -> None:
        """Remove a server, given as to the constructor or by what ``get_node`` said.

        Its keys move to the others, and its connection closes. Raises ``ValueError`` if it is
        not there.
        """
        name = Node.of(node).name
        self.ring.remove_node(name)
        del self._nodes[name]
        for quota in list(self._limiters):
            if quota[0] == name:
                self._drop(quota)

    def get_node(self, key: str) -> str | None:
        """The server that is in charge of a key: a URL without user, password or options."""
        name = self.ring.get_node(key)
        return None if name is None else self._nodes[name].url

    def _limiter(self, node: str, limit: Any, *window: Any) -> AsyncLimiter:
        from sluicegate.redis.limiters import SlidingWindowRateLimiter

        quota = (node, limit, *window)
        numbers = isinstance(limit, int) and all(isinstance(one, int | float) for one in window)
        if not (numbers or isinstance(limit, Quota | str)):
            told = " and ".join(repr(part) for part in quota[1:])
            raise TypeError(
                f"limit and window must be numbers, got {told}: give a quota, as '100/minute', "
                "or both numbers, as (100, 60)"
            )
        limiter = self._limiters.get(quota)
        if limiter is None:
            redis = self._nodes[node].redis
            made = SlidingWindowRateLimiter(redis, *quota[1:], **self._options)
            if len(self._limiters) >= _MOST_QUOTAS:
                self._drop(next(iter(self._limiters)))
            # The same quota in other words is the same limiter, which remembers refusals; and another
            # thread's may be there.
            limiter = self._limiters.setdefault(quota, self._known(node, made) or made)
        return limiter

    def _known(self, node: str, made: AsyncLimiter) -> AsyncLimiter | None:
        known = list(self._limiters.items())
        return next((one for (at, *_), one in known if at == node and one._counts_as(made)), None)  # noqa: SLF001

    def _drop(self, quota: tuple[Any, ...]) -> None:
        limiter = self._limiters.pop(quota, None)
        if limiter is not None:
            limiter.close()

    def close(self) -> None:
        """Close the connections, unless other limiters use them. A later call opens them again."""
        for quota in list(self._limiters):
            self._drop(quota)

    async def aclose(self) -> None:
        """:meth:`close`, as a coroutine."""
        self.close()

    async def __aenter__(self) -> ClusterRateLimiter:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
