"""An imported policy as the text of a policy file (TOML), with where each thing comes from."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap

from sluicegate.importers.document import Document, Entry, Template, Value

__all__ = ["policy_text", "printable"]

_WIDTH = 98
_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def policy_text(document: Document) -> str:
    """The policy file. It begins with what is no rule, and ends with what has no equivalent."""
    return "\n".join([*_lines(document), ""])


def _lines(document: Document) -> Iterator[str]:
    yield from _comment(
        f"Imported from {document.file} by `sluicegate import {document.kind}`. Above each rule "
        "stands where it comes from."
    )
    if document.unmatched:
        yield from _comment("What has no equivalent is listed at the end of this file.")
    for entry in document.options:
        yield ""
        yield from _entry(entry)
    tables = {"identity": document.identity, "tiers": document.tiers, "keys": document.keys}
    for name, entries in tables.items():
        if entries:
            yield ""
            yield f"[{name}]"
            for entry in entries:
                yield from _entry(entry)
    for rule in document.rules:
        yield ""
        yield from _comments(rule)
        yield "[[rules]]"
        yield from _pairs(rule.values)
    yield from _unmatched(document)


def _entry(entry: Entry) -> Iterator[str]:
    yield from _comments(entry)
    yield from _pairs(entry.values)


def _comments(entry: Entry) -> Iterator[str]:
    for source in entry.sources:
        yield from _comment(str(source))
    for note in entry.notes:
        yield from _comment(note)


def _unmatched(document: Document) -> Iterator[str]:
    if not document.unmatched:
        return
    yield ""
    yield "# Without an equivalent:"
    for origin, what, reason, effect in document.unmatched:
        yield "#"
        yield from _comment(f"{origin}: {what}")
        yield from _comment(f"{reason}", "  why: ")
        yield from _comment(f"{effect}", "  effect: ")


def _comment(text: str, before: str = "") -> Iterable[str]:
    """Lines of a comment; a long word is not broken."""
    return wrap(
        printable(text),
        _WIDTH,
        initial_indent=f"# {before}",
        subsequent_indent=f"# {' ' * len(before)}",
        break_long_words=False,
        break_on_hyphens=False,
    )


def printable(text: str) -> str:
    """The text on one line, without what would end a comment or move a terminal's cursor."""
    one_line = " ".join(text.split())
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in one_line
    )


def _pairs(values: Mapping[str, Value]) -> Iterator[str]:
    for name, value in values.items():
        yield f"{_key(name)} = {_value(value)}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _value(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Template):
        return _string(value)
    if isinstance(value, str):
        return _string(value.replace("${", "$${"))  # which is no variable
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a policy file holds finite numbers, got {value}")
        return repr(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    return "[" + ", ".join(map(_value, value)) + "]"


def _string(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or _char(c) for c in text) + '"'


def _char(char: str) -> str:
    if "\ud800" <= char <= "\udfff":  # half of a character, as in a path that is not UTF-8
        return "\ufffd"
    return f"\\u{ord(char):04x}" if char < " " or char == "\x7f" else char
