"""The file's tables: values with their lines, each looked at as what Kong takes it for."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import NamedTuple

from sluicegate.importers.kong.report import Report
from sluicegate.importers.origins import ImportFileError, Origin, Problem
from sluicegate.policy.document.text.from_yaml import read_yaml
from sluicegate.policy.document.text.nodes import Entry, Node, words_of
from sluicegate.policy.document.text.problems import Problems

__all__ = ["Table", "Text", "parse"]

_MOST_BYTES = 50 * 2**20


class Text(NamedTuple):
    """A text, and its line."""

    line: int
    text: str


class Table:
    """A table of the file. What is ``null`` is not there; what is of another type is a problem.

    Attributes:
        line: on which it begins.
        entries: its keys as they stand there.
    """

    def __init__(self, node: Node, report: Report) -> None:
        self.line = node.line
        self.entries: dict[str, Entry] = node.value
        self._report = report

    def __contains__(self, name: str) -> bool:
        return name in self.entries and self.entries[name].node.value is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in self.entries if name in self)

    def merged(self, other: Table | None) -> Table:
        """The same with what the ``other`` has, which goes first."""
        entries = self.entries if other is None else {**self.entries, **other.entries}
        return Table(Node(self.line, entries), self._report)

    def renamed(self, name: str, other: str, **instead: str) -> Table:
        """The same with a key called otherwise, and perhaps texts ``instead`` of it."""
        entry = self.entries[name]
        entries = {key: value for key, value in self.entries.items() if key != name}
        entries |= {other: entry}
        entries |= {key: Entry(entry.line, Node(entry.line, text)) for key, text in instead.items()}
        return Table(Node(self.line, entries), self._report)

    def without_prefix(self, prefix: str) -> Table:
        """Those keys that begin so, without that."""
        entries = {
            name.removeprefix(prefix): entry
            for name, entry in self.entries.items()
            if name.startswith(prefix)
        }
        return Table(Node(self.line, entries), self._report)

    def line_of(self, name: str) -> int:
        """The line of a key that is there; else of the table."""
        return self.entries[name].line if name in self.entries else self.line

    def node(self, name: str) -> Node | None:
        """The value as it stands there."""
        return self.entries[name].node if name in self else None

    def text(self, name: str) -> str | None:
        """A text; a number is one as it is written."""
        node = self.node(name)
        if node is None:
            return None
        if isinstance(node.value, (str, int, float)) and not isinstance(node.value, bool):
            return str(node.value)
        self._wrong(name, "a text", node)
        return None

    def number(self, name: str) -> float | None:
        """A number. One that the environment gives cannot be known."""
        node = self.node(name)
        return None if node is None else self._number(name, node)

    def numbers(self, name: str) -> list[float]:
        """A list of numbers, or a single one."""
        node = self.node(name)
        if node is None:
            return []
        nodes = node.value if isinstance(node.value, list) else [node]
        read = (self._number(name, each) for each in nodes)
        return [number for number in read if number is not None]

    def flag(self, name: str, unless: bool) -> bool:
        """True or false; ``unless`` it is given."""
        node = self.node(name)
        if node is None:
            return unless
        if not isinstance(node.value, bool):
            self._wrong(name, "true or false", node)
            return unless
        return node.value

    def texts(self, name: str) -> list[Text]:
        """A list of texts, or a single one."""
        node = self.node(name)
        if node is None:
            return []
        nodes = node.value if isinstance(node.value, list) else [node]
        found: list[Text] = []
        for each in nodes:
            if isinstance(each.value, str):
                found.append(Text(each.line, each.value))
            else:
                self._wrong(name, "a list of texts", each)
        return found

    def table(self, name: str) -> Table | None:
        """A table within."""
        node = self.node(name)
        if node is None:
            return None
        if not isinstance(node.value, dict):
            self._wrong(name, "a table", node)
            return None
        return Table(node, self._report)

    def tables(self, name: str) -> list[Table]:
        """A list of tables."""
        node = self.node(name)
        if node is None:
            return []
        if not isinstance(node.value, list):
            self._wrong(name, "a list", node)
            return []
        found: list[Table] = []
        for each in node.value:
            if isinstance(each.value, dict):
                found.append(Table(each, self._report))
            else:
                self._wrong(name, "a list of tables", each)
        return found

    def _number(self, name: str, node: Node) -> float | None:
        value = node.value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value):
            return value
        if isinstance(value, str) and ("${" in value or value.startswith("{vault://")):
            self._report.wrong(
                node.line, f"{name} is {value!r}, which the environment gives: write the number"
            )
        else:
            self._wrong(name, "a number", node)
        return None

    def _wrong(self, name: str, right: str, node: Node) -> None:
        self._report.wrong(node.line, f"{name} must be {right}, got {words_of(node)}")


def parse(path: str, report: Report) -> Table:
    """The whole file, YAML or JSON.

    Raises:
        ImportFileError: it is not there, cannot be read or does not parse; with the line.
    """
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise _error(path, None, f"cannot be read: {why}") from None
    if len(content) > _MOST_BYTES:
        raise _error(path, None, f"has more than {_MOST_BYTES:,} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _error(path, line, f"it must be UTF-8, and byte {error.start} is not") from None
    problems = Problems(path)
    try:
        root = read_yaml(text, problems)
    except ImportError:
        raise ImportError("reading kong.yml needs PyYAML: install sluicegate[import]") from None
    if problems.found:
        found = sorted(dict.fromkeys(problems.found))
        raise ImportFileError(
            [Problem(Origin(path, line or None), reason) for line, reason in found]
        )
    assert root is not None
    if not isinstance(root.value, dict):
        raise _error(path, root.line, f"it must be a table of entities, got {words_of(root)}")
    return Table(root, report)


def _error(path: str, line: int | None, reason: str) -> ImportFileError:
    return ImportFileError([Problem(Origin(path, line), reason)])
