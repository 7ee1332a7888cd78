"""What stands in a file, TOML or YAML: values and keys with their lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

__all__ = ["UNKNOWN", "Entry", "Node", "Stray", "nearest", "shown", "size_of", "words_of"]

#: A value that is shown is cut off after so many characters.
_MOST_SHOWN: Final = 60


class Stray(NamedTuple):
    """A value of a type that no key takes, such as a date; ``words`` say what it is."""

    words: str


#: A value that could not be read, of which a problem tells.
UNKNOWN: Final = Stray("unknown")


class Entry(NamedTuple):
    """A key's value, and the line of the key."""

    line: int
    node: Node


class Node:
    """A value of the file, and the line on which it begins.

    Attributes:
        value: a ``str``, ``int``, ``float``, ``bool``, ``None`` or :class:`Stray`; a ``list`` of nodes;
            or a ``dict`` of :class:`Entry` by key.
    """

    __slots__ = ("line", "value")

    def __init__(self, line: int, value: Any) -> None:
        self.line = line
        self.value = value

    def children(self) -> Iterator[Node]:
        """What a list or a table holds."""
        if isinstance(self.value, dict):
            yield from (entry.node for entry in self.value.values())
        elif isinstance(self.value, list):
            yield from self.value


def size_of(root: Node) -> int:
    """How many values there are; one that stands in several places counts in each."""
    known: dict[int, int] = {}

    def size(node: Node) -> int:
        if id(node) not in known:
            known[id(node)] = 1 + sum(map(size, node.children()))
        return known[id(node)]

    return size(root)


def words_of(node: Node) -> str:
    """What a value is, in words."""
    value = node.value
    if isinstance(value, Stray):
        return value.words
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return shown(value)


def shown(value: str | int | float) -> str:
    """A text or a number as a message shows it, in one line."""
    text = repr(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def nearest(name: str, known: Iterator[str] | list[str] | tuple[str, ...]) -> str:
    """``": did you mean 'shadow'?"``, or nothing where no name is near."""
    from difflib import get_close_matches

    found = get_close_matches(name, list(known), 1)
    return f": did you mean {found[0]!r}?" if found else ""
