"""Nodes of a YAML text, as ``yaml.safe_load`` reads it; a key that comes twice is a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sluicegate.policy.document.text.nodes import UNKNOWN, Entry, Node, Stray, shown, size_of

if TYPE_CHECKING:
    import yaml

    from sluicegate.policy.document.text.problems import Problems

__all__ = ["read_yaml"]

_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = _TAG + "merge"
_STRAYS: Final = {"timestamp": "a date", "binary": "bytes"}
_SCALARS: Final = ("str", "int", "float", "bool", "null", "value")
#: Aliases may stand for as many values; more are some mistake, or meant to take all memory.
_MOST_VALUES: Final = 1_000_000


def read_yaml(text: str, problems: Problems) -> Node | None:
    """The whole text; ``None`` if it cannot be read, which ``problems`` say."""
    try:
        import yaml
    except ImportError as error:
        raise ImportError(
            f"{problems.path}: a policy in YAML needs PyYAML: install sluicegate[yaml], or write "
            "it in TOML"
        ) from error
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return Node(1, {})
        node = _Reader(problems).read(root)
        if size_of(node) > _MOST_VALUES:
            problems.add(1, f"there are more than {_MOST_VALUES:,} values, by aliases of aliases")
            return None
    except RecursionError:
        problems.add(1, "it is nested too deeply")
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        problems.add(line, f"the character {chr(error.character)!r} is not allowed in YAML")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        why = ", ".join(part for part in (error.context, error.problem) if part)
        problems.add(line, f"column {column}: {why}")
    else:
        return node
    return None


class _Reader:
    """Makes nodes of one document; aliases stand for the same node."""

    def __init__(self, problems: Problems) -> None:
        from yaml.constructor import SafeConstructor

        self._problems = problems
        self._constructor = SafeConstructor()
        self._made: dict[int, Node | None] = {}

    def read(self, given: yaml.Node) -> Node:
        known = self._made.get(id(given), self)
        line = given.start_mark.line + 1
        if isinstance(known, Node):
            return known
        if known is None:
            self._problems.add(line, "an alias stands inside of what it is the name of")
            return Node(line, UNKNOWN)
        self._made[id(given)] = None  # until it is done
        node = self._made[id(given)] = Node(line, self._value(given, line))
        return node

    def _value(self, given: Any, line: int) -> Any:
        tag = given.tag.removeprefix(_TAG)
        if given.id == "sequence" and tag == "seq":
            return [self.read(each) for each in given.value]
        if given.id == "mapping" and tag == "map":
            return self._table(given)
        if given.id == "scalar" and tag in _STRAYS:
            return Stray(_STRAYS[tag])
        if given.id == "scalar" and tag in _SCALARS:
            return self._scalar(given, tag, line)
        self._problems.add(line, f"the tag {shown(given.tag)} means nothing here: leave it out")
        return UNKNOWN

    def _scalar(self, given: yaml.ScalarNode, tag: str, line: int) -> Any:
        if tag == "value":  # a bare =
            return given.value
        try:
            value: Any = self._constructor.construct_object(given)
        except (
            ValueError,
            OverflowError,
            KeyError,
            IndexError,
        ):  # as of !!int x, or of too many digits
            self._problems.add(line, f"{shown(given.value)} cannot be read as {tag}")
            return UNKNOWN
        return value

    def _table(self, given: yaml.MappingNode) -> dict[str, Entry]:
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in given.value:
            line = key.start_mark.line + 1
            if key.tag == _MERGE:
                self._merge(merged, value, line)
                continue
            name = self.read(key).value
            if not isinstance(name, str):
                written = shown(key.value) if isinstance(key.value, str) else "what is no text"
                self._problems.add(line, f"a key must be a text, got {written}: put it in quotes")
            elif name in own:
                self._problems.twice(line, name, own[name].line)
            else:
                own[name] = Entry(line, self.read(value))
        return {**merged, **own}

    def _merge(self, merged: dict[str, Entry], given: Any, line: int) -> None:
        """Take what ``<<`` names: of several tables the first that has a key gives it."""
        tables = given.value if given.id == "sequence" else [given]
        for table in tables:
            entries = self.read(table).value
            if not isinstance(entries, dict):
                self._problems.add(line, "<< must be an alias of a table, or a list of such")
                return
            for name, entry in entries.items():
                merged.setdefault(name, entry)
