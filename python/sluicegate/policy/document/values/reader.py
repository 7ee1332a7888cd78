"""Reads values by their kinds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sluicegate.policy.document.text.nodes import UNKNOWN, Node, nearest, words_of
from sluicegate.policy.document.text.problems import Problems
from sluicegate.policy.document.values.functions import function_of
from sluicegate.policy.document.values.keys import Key
from sluicegate.policy.document.values.kinds import WRONG, Kind

__all__ = ["Reader", "unknown"]


class Reader:
    """Reads the values of one file; what is wrong with them are its problems."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def problem(self, line: int, reason: str) -> None:
        """Note what is wrong."""
        self._problems.add(line, reason)

    def is_no(self, name: str, kind: str, node: Node) -> None:
        """Note that a section is no table or list, unless that is why it could not be read."""
        if node.value is not UNKNOWN:
            self.problem(node.line, f"{name} must be {kind}, got {words_of(node)}")

    def function(self, text: str) -> Any:
        """What ``"module:name"`` names. Raises ``FunctionError``."""
        return function_of(text)

    def read(self, kind: Kind, node: Node, name: str, example: object = None) -> Any:
        """The value of ``name``, or :data:`WRONG` when a problem was noted."""
        if node.value is UNKNOWN:
            return WRONG
        if kind.takes(node):
            return kind.read(node, name, self)
        such = "" if example is None else f", such as {json.dumps(example)}"
        self.problem(node.line, f"{name} must be {kind.words}{such}, got {words_of(node)}")
        return WRONG

    def read_key(self, key: Key, node: Node, name: str) -> Any:
        """The value of a key."""
        return self.read(key.kind, node, name, key.example)


def unknown(name: str, known: Iterable[str], where: str) -> str:
    """That there is no such key, and which one may have been meant, or all."""
    names = list(known)
    near = nearest(name, names)
    return f"{where} has no key {name!r}" + (near or f": it has {', '.join(names)}")
