"""An answer that refused requests get, as far as a policy's file can say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sluicegate.importers.nginx.parsing import Directive
from sluicegate.refusals import FixedRefusal

__all__ = ["Answer"]


@dataclass(frozen=True)
class Answer:
    """A status, and a text if it is known.

    Attributes:
        directives: what says so.
    """

    status: int
    text: str | None = None
    content_type: str | None = None
    directives: tuple[Directive, ...] = field(default=(), compare=False)

    @property
    def can_be_said(self) -> bool:
        """Whether a policy takes it."""
        try:
            FixedRefusal(**self.value)
        except ValueError:
            return False
        return True

    @property
    def value(self) -> dict[str, Any]:
        """As the ``refusal`` of a policy's file."""
        found: dict[str, Any] = {"status": self.status}
        if self.text is not None:
            found["text"] = self.text
        if self.content_type is not None:
            found["content_type"] = self.content_type
        return found
