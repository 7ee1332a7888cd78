"""What is found on the way: problems, and what has no equivalent."""

from __future__ import annotations

from sluicegate.importers.nginx.parsing import Directive
from sluicegate.importers.origins import Origin, Problem
from sluicegate.importers.unmatched import Unmatched

__all__ = ["Report"]


class Report:
    """Collects both, each once: what stands in an included file may be met several times."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self._unmatched: dict[Unmatched, None] = {}

    @property
    def problems(self) -> list[Problem]:
        """For these nothing can be imported."""
        return [*self._problems]

    @property
    def unmatched(self) -> list[Unmatched]:
        """What has no equivalent, in the order of the files."""
        return sorted(self._unmatched, key=lambda each: (each.origin.file, each.origin.line or 0))

    def wrong(self, origin: Origin, reason: str) -> None:
        """Take note of a problem."""
        self._problems[Problem(origin, reason)] = None

    def differs(self, directive: Directive, reason: str, effect: str) -> None:
        """Take note of a directive that has no equivalent."""
        self._unmatched[Unmatched(directive.origin, str(directive), reason, effect)] = None
