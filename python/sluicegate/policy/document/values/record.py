"""Tables whose keys are known, of which one object is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sluicegate.policy.document.text.nodes import Node, nearest
from sluicegate.policy.document.values.kinds import WRONG, Kind, Reads, Schema

__all__ = ["Record"]


class Record(Kind):
    """A table of some of the ``keys``, which ``make`` takes by their names; it raises ``ValueError``."""

    def __init__(self, keys: Mapping[str, Kind], make: Callable[..., Any]) -> None:
        names = list(keys)
        self.words = f"a table of {', '.join(names[:-1])} and {names[-1]}"
        self._keys = keys
        self._make = make

    def takes(self, node: Node) -> bool:
        return isinstance(node.value, dict)

    def read(self, node: Node, name: str, reader: Reads) -> Any:
        found: dict[str, Any] = {}
        for key, entry in node.value.items():
            if key in self._keys:
                found[key] = reader.read(self._keys[key], entry.node, f"{name}.{key}")
            else:
                near = nearest(key, [*self._keys]) or f": it has {', '.join(self._keys)}"
                reader.problem(entry.line, f"{name} has no key {key!r}{near}")
                found[key] = WRONG
        if WRONG in found.values():
            return WRONG
        if not found:
            reader.problem(node.line, f"{name} must have some of {', '.join(self._keys)}")
            return WRONG
        try:
            return self._make(**found)
        except ValueError as error:
            reader.problem(node.line, f"{name}.{error}")
            return WRONG

    def schema(self) -> Schema:
        return {
            "type": "object",
            "properties": {name: kind.schema() for name, kind in self._keys.items()},
            "additionalProperties": False,
            "minProperties": 1,
        }
