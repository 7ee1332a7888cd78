"""Which of several nodes a key belongs to, with little change when nodes come and go."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from hashlib import md5

from sluicegate._support import fork

__all__ = ["ConsistentHashRing"]


class ConsistentHashRing:
    """A ring on which each node has ``replicas`` points; a key belongs to the next point's node.

    Adding a node to n takes about 1/(n+1) of the keys from the others, and no key changes
    between those. Where a key belongs depends on the names of the nodes alone: not on their
    order, the process or the machine. With 100 replicas a node's share of the keys differs
    from an even one by about a tenth (one standard deviation), with 1,000 by about 3 %.

    Any number of threads may look up keys while another one adds or removes a node.

    Points are placed with MD5, as is usual for such rings (Karger et al., 1997); it keeps no
    secret here: who chooses keys can choose their node.

    Args:
        nodes: names, as many as you like; equal ones count once.
        replicas: points of each node, 1 to 100,000.

    Raises:
        ValueError: ``replicas`` is out of range.
        TypeError: a node is not a ``str``, or ``replicas`` is not an ``int``.
    """

    __slots__ = ("_lock", "_nodes", "_ring", "replicas")

    def __init__(self, nodes: Iterable[str], replicas: int = 100) -> None:
        if isinstance(replicas, bool) or not isinstance(replicas, int):
            raise TypeError(f"replicas must be an int, got {type(replicas).__name__} {replicas!r}")
        if not 1 <= replicas <= 100_000:
            raise ValueError(f"replicas must be 1 to 100000, got {replicas}")
        if isinstance(nodes, str) or not isinstance(nodes, Iterable):
            raise TypeError(f"nodes must be a list of str, got one {type(nodes).__name__}")
        #: Points of each node.
        self.replicas = replicas
        names = list(nodes)
        self._lock = fork.new_lock()
        for name in names:
            _check("nodes must hold str", name)
        self._nodes = frozenset(names)
        self._ring = _sorted([point for node in self._nodes for point in self._points(node)])

    def add_node(self, node: str) -> None:
        """Add a node; one that is there already changes nothing.

        Raises:
            TypeError: it is not a ``str``.
        """
        _check("node must be a str", node)
        with self._lock:
            if node not in self._nodes:
                points, owners = self._ring
                old = list(zip(points, owners, strict=True))
                self._ring = _sorted(old + self._points(node))
                self._nodes |= {node}

    def remove_node(self, node: str) -> None:
        """Remove a node; its keys go to the others, about evenly.

        Raises:
            TypeError: it is not a ``str``.
            ValueError: it is not on the ring.
        """
        _check("node must be a str", node)
        with self._lock:
            if node not in self._nodes:
                raise ValueError("node must be on the ring to be removed")
            points, owners = self._ring
            pairs = zip(points, owners, strict=True)
            self._ring = _sorted([pair for pair in pairs if pair[1] != node])
            self._nodes -= {node}

    def get_node(self, key: str) -> str | None:
        """The node to which the key belongs; ``None`` if the ring is empty."""
        _check("key must be a str", key)
        # Both are read at once, so that a change in another thread is seen whole or not at all.
        points, owners = self._ring
        if not points:
            return None
        return owners[bisect_left(points, _hash(key)) % len(points)]

    @property
    def nodes(self) -> frozenset[str]:
        """The nodes that are on the ring now."""
        return self._nodes

    def __repr__(self) -> str:
        # No names: they may be URLs with passwords.
        return f"<ConsistentHashRing: {len(self._nodes)} nodes, {self.replicas} replicas each>"

    def _points(self, node: str) -> list[tuple[bytes, str]]:
        return [(_hash(f"{node}:{replica}"), node) for replica in range(self.replicas)]


def _hash(text: str) -> bytes:
    return md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()


def _sorted(pairs: list[tuple[bytes, str]]) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    pairs.sort()
    return tuple(point for point, _ in pairs), tuple(owner for _, owner in pairs)


def _check(must: str, text: object) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{must}, got {type(text).__name__}")
