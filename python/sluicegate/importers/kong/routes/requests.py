"""Sets of requests that a policy's pattern can name: methods, a host and paths."""

from __future__ import annotations

from typing import NamedTuple

from sluicegate.importers.nginx.paths import EVERY_PATH, Path, Target

__all__ = ["EVERY_REQUEST", "Requests"]


class Requests(NamedTuple):
    """Requests with one of the methods (``None``: any) for the target."""

    methods: frozenset[str] | None
    target: Target

    def covers(self, other: Requests) -> bool:
        """Whether all requests of ``other`` are among its own."""
        methods = self.methods is None or (
            other.methods is not None and other.methods <= self.methods
        )
        return methods and self.target.covers(other.target)

    def meets(self, other: Requests) -> bool:
        """Whether any request is of both."""
        if self.methods is not None and other.methods is not None:
            return not self.methods.isdisjoint(other.methods) and self.target.meets(other.target)
        return self.target.meets(other.target)

    def at(self, path: Path) -> Requests | None:
        """Those of its requests that have such a path; ``None`` if there are none."""
        both = self.target.path & path
        return None if both is None else Requests(self.methods, Target(self.target.host, both))

    @property
    def text(self) -> str:
        """As a pattern, in which ``GET`` stands for ``HEAD`` too."""
        if self.methods is None:
            return self.target.text
        methods = sorted(self.methods - ({"HEAD"} if "GET" in self.methods else set()))
        return f"{'|'.join(methods)} {self.target.text}"


EVERY_REQUEST = Requests(None, Target(None, EVERY_PATH))
