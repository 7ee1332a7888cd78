"""Patterns as a tree by the segments of their paths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.policy.rules.pattern import Pattern

__all__ = ["Entry", "Node", "maybe_covering", "onward"]

#: The place of a rule, and its methods; ``None`` for all.
Entry = tuple[int, frozenset[str] | None]


class Node:
    """What follows a few segments: the next ones, and the rules whose pattern ends here.

    Attributes:
        next: by the segment.
        any: behind a parameter.
        ends: of the rules for just this path.
        rest: of those for it and all below.
    """

    __slots__ = ("any", "ends", "next", "rest")

    def __init__(self) -> None:
        self.next: dict[str, Node] = {}
        self.any: Node | None = None
        self.ends: list[Entry] = []
        self.rest: list[Entry] = []

    def add(self, place: int, pattern: Pattern) -> None:
        """Put the rule at ``place`` where its pattern ends, seen from this node as the root."""
        node = self
        for segment in pattern.segments:
            if segment is not None:
                node = node.next.setdefault(segment, Node())
            else:
                if node.any is None:
                    node.any = Node()
                node = node.any
        (node.rest if pattern.rest else node.ends).append((place, pattern.methods))


def onward(nodes: Iterable[Node], segment: str | None) -> list[Node]:
    """Where a segment leads from some nodes; ``None`` is one that no pattern names."""
    found: list[Node] = []
    for node in nodes:
        if segment is not None and segment in node.next:
            found.append(node.next[segment])
        if node.any is not None:
            found.append(node.any)
    return found


def maybe_covering(root: Node, pattern: Pattern) -> Iterator[int]:
    """The places of all rules whose path template has every path that the pattern's has."""
    nodes = [root]
    for segment in (*pattern.segments, ...):
        for node in nodes:
            yield from (place for place, _ in node.rest)
        if segment is not ...:
            nodes = onward(nodes, segment)
    if not pattern.rest:
        for node in nodes:
            yield from (place for place, _ in node.ends)
