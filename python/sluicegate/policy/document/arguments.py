"""What a file's nodes give a policy: keyword arguments, each with its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sluicegate.policy.document.text.nodes import Entry, Node
from sluicegate.policy.document.values.keys import IDENTITY, RULE, TOP
from sluicegate.policy.document.values.kinds import WRONG
from sluicegate.policy.document.values.reader import Reader, unknown
from sluicegate.refusals import json_refusal, problem_refusal

__all__ = ["STAND_IN", "Given", "given_by", "key_place", "nobody"]

#: A quota that is right wherever one is, for one that is wrong.
STAND_IN: Final = "1/minute"
_SECTIONS: Final = ("identity", "rules")
_REFUSALS: Final[dict[Any, Any]] = {"json": json_refusal, "problem": problem_refusal}


class Given:
    """Arguments of a policy that a file gives.

    Attributes:
        options: by the constructor's names; what was wrong is left out.
        rules: the arguments of each rule, with the line on which it begins.
        lines: where each place stands by the name that errors give it: ``timeout``,
            ``tiers['free']``, ``rules[0]``, ``rules[0].by``.
        wrong: the options that the file gives and that are no right ones.
        names: what is counted by that code has to give a function for, with the lines.
    """

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.rules: list[dict[str, Any]] = []
        self.lines: dict[str, int] = {}
        self.wrong: set[str] = set()
        self.names: dict[str, int] = {}

    def beside(self, in_code: Mapping[str, Any]) -> dict[str, Any]:
        """All arguments, with those that are given in code; functions to count by are of either."""
        options = {**self.options, **in_code}
        if "keys" in options:
            options["keys"] = {**self.options.get("keys", {}), **in_code.get("keys", {})}
        return options


def given_by(root: Node, reader: Reader) -> Given:
    """Read the whole file, which is a table; problems are the reader's."""
    given = Given()
    entries: dict[str, Entry] = root.value
    own = {name: entry for name, entry in entries.items() if name not in _SECTIONS}
    for name, entry in own.items():
        if name not in TOP:
            why = unknown(name, [*TOP, *_SECTIONS], "a policy")
            if name in IDENTITY:
                why = f"{name} belongs to identity: write it there"
            reader.problem(entry.line, why)
    _options(given, own, TOP, reader)
    if "identity" in entries:
        _identity(given, entries["identity"], reader)
    if "rules" in entries:
        _rules(given, entries["rules"], reader)
    return given


def _options(
    given: Given, entries: Mapping[str, Entry], table: Mapping[str, Any], reader: Reader
) -> None:
    for name, entry in entries.items():
        if name not in table:
            continue
        given.lines[name] = entry.line
        value = reader.read_key(table[name], entry.node, name)
        if name == "tiers":
            value = _tiers(given, entry.node, value)
        elif name == "keys":
            value = _keys(given, entry.node, value)
        elif name == "refusal":
            value = _REFUSALS.get(value, value)
        if value is WRONG:
            given.wrong.add(name)
        else:
            given.options[name] = value


def _tiers(given: Given, node: Node, value: Any) -> Any:
    """The tiers; a wrong one has a quota that stands in for it, so that others may name it."""
    if not isinstance(value, dict):
        return value
    for name, entry in node.value.items():
        given.lines[f"tiers[{name!r}]"] = entry.line
    return {name: STAND_IN if quota is WRONG else quota for name, quota in value.items()}


def _keys(given: Given, node: Node, value: Any) -> Any:
    """The functions; of those that are given in code only the names are known."""
    if isinstance(value, list):
        given.names = {each.value: each.line for each in node.value}
        return {}
    if not isinstance(value, dict):
        return value
    for name, entry in node.value.items():
        given.lines[key_place(name)] = entry.line
    return {name: nobody if function is WRONG else function for name, function in value.items()}


def key_place(by: str) -> str:
    """The place of a function to count by."""
    return f"keys[{by!r}]"


def nobody(_: object) -> None:
    """Stands in for a function that cannot be had."""


def _identity(given: Given, section: Entry, reader: Reader) -> None:
    entries = section.node.value
    if not isinstance(entries, dict):
        reader.is_no("identity", "a table", section.node)
        return
    for name, entry in entries.items():
        if name not in IDENTITY:
            reader.problem(entry.line, unknown(name, [*IDENTITY], "identity"))
    _options(given, entries, IDENTITY, reader)


def _rules(given: Given, section: Entry, reader: Reader) -> None:
    given.lines["rules"] = section.line
    rules = section.node.value
    if not isinstance(rules, list):
        reader.is_no("rules", "a list", section.node)
        given.wrong.add("rules")
        return
    for number, node in enumerate(rules):
        _rule(given, f"rules[{number}]", node, reader)


def _rule(given: Given, place: str, node: Node, reader: Reader) -> None:
    given.lines[place] = node.line
    if not isinstance(node.value, dict):
        reader.is_no(place, "a table", node)
        given.rules.append(dict.fromkeys(RULE, WRONG))
        return
    given.rules.append({})
    for name, entry in node.value.items():
        given.lines[f"{place}.{name}"] = entry.line
        if name not in RULE:
            reader.problem(entry.line, unknown(name, [*RULE], "a rule"))
            continue
        value = reader.read_key(RULE[name], entry.node, name)
        given.rules[-1][name] = value
