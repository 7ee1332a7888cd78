"""Nodes of a TOML text, which the core reads."""

from __future__ import annotations

from typing import Any, Final

from sluicegate._core import read_toml as read
from sluicegate.policy.document.text.nodes import UNKNOWN, Entry, Node, Stray
from sluicegate.policy.document.text.problems import Problems

__all__ = ["read_toml"]

#: Beside these errors the rest of the text is understood as it was meant.
_MILD: Final = ("is given twice: leave one out", "does not fit 64 bits")


def read_toml(text: str, problems: Problems) -> Node | None:
    """The whole text; ``None`` if it cannot be read, which ``problems`` say."""
    raw, errors = read(text)
    for line, column, why in errors:
        problems.add(line, why if why.endswith(_MILD) else f"column {column}: {why}")
    if all(why.endswith(_MILD) for _, _, why in errors):
        return _node(raw)
    return None


def _node(raw: tuple[int, Any]) -> Node:
    line, value = raw
    if isinstance(value, dict):
        value = {key: Entry(at, _node(inner)) for key, (at, inner) in value.items()}
    elif isinstance(value, list):
        value = [_node(inner) for inner in value]
    elif isinstance(value, tuple):
        value = Stray(*value)
    elif value is None:
        value = UNKNOWN
    return Node(line, value)
