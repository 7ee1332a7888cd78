"""What is found on the way: problems, and what has no equivalent."""

from __future__ import annotations

from sluicegate.importers.origins import Origin, Problem, Source
from sluicegate.importers.unmatched import Unmatched

__all__ = ["Report"]


class Report:
    """Collects both, each once, for one file."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: dict[Problem, None] = {}
        self._unmatched: dict[Unmatched, None] = {}

    @property
    def problems(self) -> list[Problem]:
        """For these nothing can be imported, in the order of their lines."""
        return sorted(self._problems, key=lambda each: each.origin.line or 0)

    @property
    def unmatched(self) -> list[Unmatched]:
        """What has no equivalent, in the order of the file; what is of all of it first."""
        return sorted(self._unmatched, key=lambda each: each.origin.line or 0)

    def source(self, line: int, text: str) -> Source:
        """What stands at a line."""
        return Source(Origin(self._file, line), text)

    def wrong(self, line: int | None, reason: str) -> None:
        """Take note of a problem."""
        self._problems[Problem(Origin(self._file, line), reason)] = None

    def differs(self, line: int | None, what: str, reason: str, effect: str) -> None:
        """Take note of something that has no equivalent."""
        self._unmatched[Unmatched(Origin(self._file, line), what, reason, effect)] = None
