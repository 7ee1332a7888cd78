"""Kinds of values: how each is read, and what a JSON Schema says of it."""

from __future__ import annotations

from typing import Any, Final, Protocol

from sluicegate.policy.document.text.nodes import Node, nearest, shown
from sluicegate.policy.document.values.functions import FunctionError

__all__ = [
    "WRONG",
    "Defined",
    "Either",
    "Flag",
    "Function",
    "Kind",
    "Listed",
    "Number",
    "Table",
    "Text",
    "Whole",
]

#: Stands for a value that is none, of which a problem tells.
WRONG: Final[Any] = object()

Schema = dict[str, Any]
#: A text with ${NAME} may become anything.
_FILLED: Final = r"\$\{"


class Reads(Protocol):
    """What kinds ask of the reader of a file."""

    def read(self, kind: Kind, node: Node, name: str, example: object = None) -> Any:
        """Another value, or :data:`WRONG`."""

    def problem(self, line: int, reason: str) -> None:
        """Note what is wrong."""

    def function(self, text: str) -> Any:
        """What ``"module:name"`` names."""


class Kind:
    """What a key's value may be.

    Attributes:
        words: what it is called in a message.
    """

    words: str

    def takes(self, node: Node) -> bool:
        """Whether the value is of the type."""
        raise NotImplementedError

    def read(self, node: Node, name: str, reader: Reads) -> Any:
        """The value, of which ``name`` is the key; :data:`WRONG` when a problem was noted."""
        raise NotImplementedError

    def schema(self) -> Schema:
        """What a JSON Schema says of it."""
        raise NotImplementedError


class Text(Kind):
    """A text; of the ``choices``, if there are any, or one that editors check by a ``pattern``."""

    def __init__(self, *choices: str, pattern: str | None = None) -> None:
        self.words = f"one of {', '.join(map(repr, choices))}" if choices else "a text"
        self._choices = choices
        self._pattern = pattern

    def takes(self, node: Node) -> bool:
        return isinstance(node.value, str)

    def read(self, node: Node, name: str, reader: Reads) -> Any:
        text = node.value
        if self._choices and text not in self._choices:
            near = nearest(text, self._choices)
            reader.problem(node.line, f"{name} must be {self.words}, got {shown(text)}{near}")
            return WRONG
        return text

    def schema(self) -> Schema:
        if self._choices:
            return {"anyOf": [{"enum": [*self._choices]}, {"type": "string", "pattern": _FILLED}]}
        if self._pattern is not None:
            return {"type": "string", "pattern": f"{self._pattern}|{_FILLED}"}
        return {"type": "string"}


class Function(Kind):
    """A function of a module, as ``"module:name"``."""

    words = 'a function as "module:name"'

    def takes(self, node: Node) -> bool:
        return isinstance(node.value, str) and ":" in node.value

    def read(self, node: Node, name: str, reader: Reads) -> Any:
        try:
            return reader.function(node.value)
        except FunctionError as error:
            reader.problem(node.line, f"{name}: {error}")
            return WRONG

    def schema(self) -> Schema:
        name = r"[^\W\d]\w*(\.[^\W\d]\w*)*"
        return {"type": "string", "pattern": rf"^{name}:{name}$|{_FILLED}"}


class Defined(Kind):
    """A kind that a JSON Schema defines once, by its ``name``, for all keys that have it."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.name = name
        self.kind = kind
        self.words = kind.words

    def takes(self, node: Node) -> bool:
        return self.kind.takes(node)

    def read(self, node: Node, name: str, reader: Reads) -> Any:
        return self.kind.read(node, name, reader)

    def schema(self) -> Schema:
        return {"$ref": f"#/$defs/{self.name}"}


class _Plain(Kind):
    """A value of one of Python's types."""

    def __init__(self, types: tuple[type, ...], words: str, schema: Schema) -> None:
        self.words = words
        self._types = types
        self._schema = schema

    def takes(self, node: Node) -> bool:
        return type(node.value) in self._types  # True is no number

    def read(self, node: Node, name: str, reader: Reads) -> Any:  # noqa: ARG002
        return node.value

    def schema(self) -> Schema:
        return dict(self._schema)


def Whole(low: int, high: int) -> Kind:  # noqa: N802
    """A whole number. Its range is for editors: the policy checks it itself."""
    return _Plain((int,), "a whole number", {"type": "integer", "minimum": low, "maximum": high})


def Number(low: float, high: float, *, above: bool = False) -> Kind:  # noqa: N802
    """A number, ``above`` the lower end of its range or at it."""
    lower = "exclusiveMinimum" if above else "minimum"
    return _Plain((int, float), "a number", {"type": "number", lower: low, "maximum": high})


def Flag() -> Kind:  # noqa: N802
    """True or false."""
    return _Plain((bool,), "true or false", {"type": "boolean"})


class Listed(Kind):
    """A list, whose values are of one kind, as the ``example`` is."""

    def __init__(self, of: Kind, words: str, example: object = None) -> None:
        self.words = words
        self._of = of
        self._example = example

    def takes(self, node: Node) -> bool:
        return isinstance(node.value, list)

    def read(self, node: Node, name: str, reader: Reads) -> Any:
        values = [
            reader.read(self._of, each, f"{name}[{place}]", self._example)
            for place, each in enumerate(node.value)
        ]
        return WRONG if any(value is WRONG for value in values) else values

    def schema(self) -> Schema:
        return {"type": "array", "items": self._of.schema()}


class Table(Kind):
    """A table of names, whose values are of one kind, as the ``example`` is.

    With ``leave``, those that are wrong are :data:`WRONG` in it, and the others may be used.
    """

    def __init__(
        self, of: Kind, words: str, example: object = None, *, leave: bool = False
    ) -> None:
        self.words = words
        self._of = of
        self._example = example
        self._leave = leave

    def takes(self, node: Node) -> bool:
        return isinstance(node.value, dict)

    def read(self, node: Node, name: str, reader: Reads) -> Any:
        found = {
            key: reader.read(self._of, entry.node, f"{name}[{key!r}]", self._example)
            for key, entry in node.value.items()
        }
        return WRONG if not self._leave and WRONG in found.values() else found

    def schema(self) -> Schema:
        return {"type": "object", "additionalProperties": self._of.schema()}


class Either(Kind):
    """A value of the first kind that takes it; texts that one knows are not another's."""

    def __init__(self, *kinds: Kind) -> None:
        self.words = " or ".join(kind.words for kind in kinds)
        self._kinds = kinds

    def takes(self, node: Node) -> bool:
        return any(kind.takes(node) for kind in self._kinds)

    def read(self, node: Node, name: str, reader: Reads) -> Any:
        kind = next(kind for kind in self._kinds if kind.takes(node))
        return kind.read(node, name, reader)

    def schema(self) -> Schema:
        return {"anyOf": [kind.schema() for kind in self._kinds]}
