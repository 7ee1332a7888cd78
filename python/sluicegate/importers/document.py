"""An imported policy: what its file says, where each thing comes from, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sluicegate.importers.origins import Source
from sluicegate.importers.unmatched import Unmatched

__all__ = ["Document", "Entry", "Template", "Value"]


class Template(str):
    """A text in which ``${NAME}`` stands for what the environment has, as in a policy file."""

    __slots__ = ()


#: What a policy file can hold.
Value = str | int | float | bool | Sequence["Value"] | Mapping[str, "Value"]


@dataclass(frozen=True)
class Entry:
    """A rule, or some keys of the file that belong together.

    Attributes:
        values: its keys, as a policy file spells them, in the order in which they are written.
        sources: what it comes from, and where that stands.
        notes: what the reader should know of it, a line each.
    """

    values: Mapping[str, Value]
    sources: tuple[Source, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass
class Document:
    """A policy as an importer found it; :mod:`sluicegate.importers.text` writes it.

    Attributes:
        kind: what it was imported from: ``nginx`` or ``kong``.
        file: the path of the file that was imported.
        options: keys at the top of the policy file, such as ``store``.
        identity, tiers, keys: those of its tables.
        rules: in the order in which they are matched.
        unmatched: what has no equivalent.
        functions: the text of the Python module with the functions that ``keys`` names, if any.
        module: what that module is called.
    """

    kind: str
    file: str
    options: list[Entry] = field(default_factory=list[Entry])
    identity: list[Entry] = field(default_factory=list[Entry])
    tiers: list[Entry] = field(default_factory=list[Entry])
    keys: list[Entry] = field(default_factory=list[Entry])
    rules: list[Entry] = field(default_factory=list[Entry])
    unmatched: list[Unmatched] = field(default_factory=list[Unmatched])
    functions: str | None = None
    module: str = "limits_keys"
