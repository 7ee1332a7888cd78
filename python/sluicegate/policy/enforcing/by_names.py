"""What a gate calls the keys of rules: the same name where they count by the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluicegate.policy.rules.sources import Source

__all__ = ["ByNames"]

_LONGEST = 64


class ByNames:
    """Names for what rules count by, of which gates have to tell apart what is not the same.

    No count belongs to them: those of two policies need not agree.
    """

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[object, str] = {}

    def name_of(self, place: int, sources: tuple[Source, ...]) -> str:
        """The name of what the rule at this place counts by."""
        # A parameter of one rule's path is another thing than that of the next.
        is_of_path = any(source.kind == "path" for source in sources)
        known: object = (sources, place if is_of_path else None)
        name = self._names.get(known)
        if name is None:
            name = "+".join(map(str, sources))
            plain = name.isascii() and name.isprintable() and len(name) <= _LONGEST
            if not plain or name in self._names.values():
                name = f"by:{place}"
            self._names[known] = name
        return name
