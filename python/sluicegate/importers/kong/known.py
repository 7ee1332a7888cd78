"""Entities by what others refer to them: their names and ids."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from sluicegate.importers.kong.report import Report
from sluicegate.importers.kong.table import Table

__all__ = ["Known", "Named"]


class _HasTable(Protocol):
    @property
    def table(self) -> Table: ...


Named = TypeVar("Named", bound=_HasTable)


class Known(Generic[Named]):
    """Entities of one kind, by their ids and names.

    Args:
        word: what one is called.
        names: the keys that name one.
    """

    def __init__(self, word: str, names: tuple[str, ...]) -> None:
        self.word = word
        self.all: list[Named] = []
        self._names = (*names, "id")
        self._by_name: dict[str, Named] = {}

    def name_of(self, table: Table) -> str:
        name = next((table.text(key) for key in self._names if key in table), None)
        return name or f"{self.word} of line {table.line}"

    def add(self, entity: Named, report: Report) -> Named:
        self.all.append(entity)
        for key in self._names:
            name = entity.table.text(key) if key in entity.table else None
            if name is None:
                continue
            first = self._by_name.setdefault(name, entity)
            if first is not entity:
                report.wrong(
                    entity.table.line_of(key),
                    f"the {self.word} {name!r} is there already, in line {first.table.line}",
                )
        return entity

    def find(self, table: Table, key: str, report: Report) -> Named | None:
        """The entity to which ``key`` refers, by a name or a table of one."""
        node = table.node(key)
        if node is None:
            return None
        names: list[object] = [node.value] if isinstance(node.value, (str, int)) else []
        if isinstance(node.value, dict):
            inner = Table(node, report)
            names = [inner.text(name) for name in self._names if name in inner]
        for name in names:
            if str(name) in self._by_name:
                return self._by_name[str(name)]
        shown = names[0] if names else "nothing"
        report.wrong(table.line_of(key), f"there is no {self.word} {shown!r}")
        return None
