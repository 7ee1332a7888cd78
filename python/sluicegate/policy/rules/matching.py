"""Which rules a request matches, in time that does not grow with those that it does not."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Final

from sluicegate.policy.rules.segments import has_dots, host_of, led_to, segments_of
from sluicegate.policy.rules.tree import Entry, Node, onward

if TYPE_CHECKING:
    from sluicegate.policy.rules.pattern import Pattern
    from sluicegate.policy.rules.rule import Rule

__all__ = ["Matcher"]

#: How much of what paths have led to is kept, in nodes and names: some 50 MB at the very most.
_ROOM: Final = 1_000_000


class Matcher:
    """The patterns of rules, as a tree by the segments of their paths, one tree a host.

    A path is followed from the root, one step a segment. Where patterns have the segment itself and
    others a parameter, a step leads to several nodes; steps are kept, each with the places of the
    rules that match where it ends, so that all of this is looked for once. How many there are depends on
    the patterns, not on what requests send, and there is a bound, beyond which a step is made anew.

    How a path may be spelt: repeated slashes count once and one at the end does not count, so that
    ``//login`` and ``/login/`` are ``/login``. Letters count as written, as they do to frameworks:
    ``/LOGIN`` is another path, and so is one with a space behind. Where a path has ``.`` or ``..``,
    which the app may resolve or not, it matches what its spelling does and what it leads to as
    well, and no rule that exempts it.
    """

    __slots__ = (
        "_anywhere",
        "_below",
        "_deepest",
        "_exempt",
        "_hosts",
        "_patterns",
        "_room",
        "_starts",
    )

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._patterns = [rule.pattern for rule in rules]
        self._exempt = frozenset(place for place, rule in enumerate(rules) if rule.exempt)
        anywhere = Node()
        self._hosts: dict[str, Node] = {}
        self._below: dict[str, Node] = {}
        for place, pattern in enumerate(self._patterns):
            self._root_of(pattern, anywhere).add(place, pattern)
        self._room = _ROOM
        self._anywhere = _Step([anywhere], [])
        #: First steps by the hosts' own roots.
        self._starts: dict[tuple[Node, ...], _Step] = {(): self._anywhere}
        #: Of how many labels the longest domain is whose hosts below match.
        self._deepest = max((host.count(".") + 1 for host in self._below), default=0)

    def match(self, method: str, host: str | None, path: str) -> tuple[int, ...]:
        """The places of all rules whose pattern matches, in their order.

        Args:
            method: a WebSocket's handshake is a ``GET``.
            host: as the ``Host`` field has it; ``None`` without one.
            path: decoded, without the root path.
        """
        start = self._anywhere
        if host is not None and (self._hosts or self._below):
            start = self._start_at(host_of(host))
        segments = segments_of(path)
        method = method.upper()  # as Django does
        found = self._end_of(start, segments).places(method)
        if not has_dots(segments):
            return found
        every = {*found, *self._end_of(start, led_to(segments)).places(method)}
        return tuple(sorted(every - self._exempt))

    def params(self, place: int, path: str) -> dict[str, str]:
        """What the parameters of a rule's pattern stand for in a ``path`` that matches it."""
        pattern = self._patterns[place]
        segments = segments_of(path)
        if has_dots(segments) and not pattern.fits(segments):
            segments = led_to(segments)
        return {name: segments[at] for at, name in pattern.parameters.items()}

    def _root_of(self, pattern: Pattern, anywhere: Node) -> Node:
        host = pattern.host
        if host is None:
            return anywhere
        if host.startswith("*."):
            return self._below.setdefault(host[2:], Node())
        return self._hosts.setdefault(host, Node())

    def _start_at(self, host: str) -> _Step:
        roots = [self._hosts[host]] if host in self._hosts else []
        if self._below:
            # From the right, as far as there are patterns: a request may send any number of labels.
            labels = host.rsplit(".", self._deepest)[1:]
            for first in range(len(labels)):
                root = self._below.get(".".join(labels[first:]))
                if root is not None:
                    roots.append(root)
        own = tuple(roots)
        start = self._starts.get(own)
        if start is None:
            start = self._starts[own] = _Step([*self._anywhere.nodes, *own], [])
        return start

    def _end_of(self, step: _Step, segments: list[str]) -> _Step:
        """Where the segments lead, as far as any pattern goes."""
        for segment in segments:
            if not step.nodes:
                break
            named = segment if segment in step.named else None
            further = step.next.get(named)
            if further is None:
                further = _Step(onward(step.nodes, named), step.passed)
                if self._room > 0:
                    self._room -= further.size
                    step.next[named] = further
            step = further
        return step


class _Step:
    """Where a few segments lead.

    Attributes:
        nodes: from which the next segment goes on.
        passed: of the rules that match whatever follows.
        named: the segments that lead elsewhere than others.
        next: further steps; ``None`` is the segments that are not named.
    """

    __slots__ = ("_entries", "_found", "_methods", "named", "next", "nodes", "passed")

    def __init__(self, nodes: list[Node], passed: list[Entry]) -> None:
        self.nodes = nodes
        self.passed = [*passed, *(entry for node in nodes for entry in node.rest)]
        self.named: Collection[str] = (
            nodes[0].next
            if len(nodes) == 1
            else frozenset(name for node in nodes for name in node.next)
        )
        self.next: dict[str | None, _Step] = {}
        self._entries = [*self.passed, *(entry for node in nodes for entry in node.ends)]
        self._methods = frozenset(
            method for _, methods in self._entries if methods is not None for method in methods
        )
        self._found: dict[str | None, tuple[int, ...]] = {}

    @property
    def size(self) -> int:
        """How much is kept with it, in names and entries; one node's own names are not."""
        own = len(self.named) if len(self.nodes) > 1 else 0
        return 10 + len(self.nodes) + own + len(self._entries) + len(self._methods)

    def places(self, method: str) -> tuple[int, ...]:
        """Of the rules that match a path that ends here."""
        named = method if method in self._methods else None
        found = self._found.get(named)
        if found is None:
            found = self._found[named] = tuple(
                sorted(
                    place for place, methods in self._entries if methods is None or named in methods
                )
            )
        return found
