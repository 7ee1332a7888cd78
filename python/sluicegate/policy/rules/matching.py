"""Which rules a request matches, in time that does not grow with those that it does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sluicegate.policy.rules.segments import has_dots, host_of, led_to, segments_of

if TYPE_CHECKING:
    from sluicegate.policy.rules.pattern import Pattern
    from sluicegate.policy.rules.rule import Rule

__all__ = ["Matcher"]

#: Places by method, and those of rules for all methods, which the others have as well.
_Places = tuple[dict[str, tuple[int, ...]], tuple[int, ...]]


class Matcher:
    """The patterns of rules, as a tree by the segments of their paths, one tree a host.

    A path is followed from the root. At each segment there are at most two ways on from a node, the
    segment itself and a parameter; rules that part with the path earlier are never looked at.

    How a path may be spelt: repeated slashes count once and one at the end does not count, so that
    ``//login`` and ``/login/`` are ``/login``. Letters count as written, as they do to frameworks:
    ``/LOGIN`` is another path, and so is one with a space behind. Where a path has ``.`` or ``..``,
    which the app may resolve or not, it matches what its spelling does and what it leads to as
    well, and no rule that exempts it.
    """

    __slots__ = ("_anywhere", "_below", "_deepest", "_exempt", "_hosts", "_patterns")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._patterns = [rule.pattern for rule in rules]
        self._exempt = frozenset(place for place, rule in enumerate(rules) if rule.exempt)
        self._anywhere = _Node()
        self._hosts: dict[str, _Node] = {}
        self._below: dict[str, _Node] = {}
        for place, pattern in enumerate(self._patterns):
            self._root_of(pattern).add(place, pattern)
        #: Of how many labels the longest domain is whose hosts below match.
        self._deepest = max((host.count(".") + 1 for host in self._below), default=0)

    def match(self, method: str, host: str | None, path: str) -> tuple[int, ...]:
        """The places of all rules whose pattern matches, in their order.

        Args:
            method: a WebSocket's handshake is a ``GET``.
            host: as the ``Host`` field has it; ``None`` without one.
            path: decoded, without the root path.
        """
        segments = segments_of(path)
        roots = [self._anywhere]
        if host is not None and (self._hosts or self._below):
            roots += self._roots_for(host_of(host))
        method = method.upper()  # as Django does
        found = _found(roots, method, segments)
        if not has_dots(segments):
            return tuple(found)
        every = {*found, *_found(roots, method, led_to(segments))}
        return tuple(sorted(every - self._exempt))

    def params(self, place: int, path: str) -> dict[str, str]:
        """What the parameters of a rule's pattern stand for in a ``path`` that matches it."""
        pattern = self._patterns[place]
        segments = segments_of(path)
        if has_dots(segments) and not pattern.fits(segments):
            segments = led_to(segments)
        return {name: segments[at] for at, name in pattern.parameters.items()}

    def _root_of(self, pattern: Pattern) -> _Node:
        host = pattern.host
        if host is None:
            return self._anywhere
        if host.startswith("*."):
            return self._below.setdefault(host[2:], _Node())
        return self._hosts.setdefault(host, _Node())

    def _roots_for(self, host: str) -> list[_Node]:
        roots = [self._hosts[host]] if host in self._hosts else []
        if self._below:
            # From the right, as far as there are patterns: a request may send any number of labels.
            labels = host.rsplit(".", self._deepest)[1:]
            for first in range(len(labels)):
                root = self._below.get(".".join(labels[first:]))
                if root is not None:
                    roots.append(root)
        return roots


class _Node:
    """What follows a few segments: the next ones, and the rules that end here."""

    __slots__ = ("any", "ends", "next", "rest")

    def __init__(self) -> None:
        self.next: dict[str, _Node] = {}
        self.any: _Node | None = None
        #: Of the rules that end here, and of those that have all below as well.
        self.ends: _Places = ({}, ())
        self.rest: _Places = ({}, ())

    def add(self, place: int, pattern: Pattern) -> None:
        node = self
        for segment in pattern.segments:
            if segment is not None:
                node = node.next.setdefault(segment, _Node())
            else:
                if node.any is None:
                    node.any = _Node()
                node = node.any
        if pattern.rest:
            node.rest = _with(node.rest, place, pattern.methods)
        else:
            node.ends = _with(node.ends, place, pattern.methods)


def _with(places: _Places, place: int, methods: frozenset[str] | None) -> _Places:
    by_method, others = places
    if methods is None:
        return {method: (*known, place) for method, known in by_method.items()}, (*others, place)
    for method in methods:
        by_method[method] = (*by_method.get(method, others), place)
    return places


def _found(roots: list[_Node], method: str, segments: list[str]) -> list[int]:
    """The places of what matches, in order."""
    found: list[int] = []
    nodes = roots
    for segment in segments:
        following: list[_Node] = []
        for node in nodes:
            by_method, others = node.rest
            found += by_method.get(method, others)
            further = node.next.get(segment)
            if further is not None:
                following.append(further)
            if node.any is not None:
                following.append(node.any)
        nodes = following
        if not nodes:
            break
    for node in nodes:
        for by_method, others in (node.rest, node.ends):
            found += by_method.get(method, others)
    found.sort()
    return found
