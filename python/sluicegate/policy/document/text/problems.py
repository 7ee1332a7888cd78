"""The problems of one file, each with its line, collected until all are known."""

from __future__ import annotations

from collections.abc import Callable

from sluicegate.errors import PolicyFileError
from sluicegate.policy.document.text.nodes import shown

__all__ = ["Problems"]


class Problems:
    """What is wrong with the file ``path``.

    Attributes:
        path: the file as its reader has named it.
        found: each problem's line, 0 for the file as a whole, and the reason.
        without_secrets: takes out of a reason what nobody may see.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.found: list[tuple[int, str]] = []
        self.without_secrets: Callable[[str], str] = str

    def add(self, line: int, reason: str) -> None:
        """Note a problem; the same one at the same line counts once."""
        self.found.append((line, reason))

    def twice(self, line: int, name: str, first: int) -> None:
        """Note that a key has been given before."""
        self.add(line, f"{shown(name)} is given twice, first in line {first}: leave one out")

    def raise_any(self) -> None:
        """Raise :class:`~sluicegate.errors.PolicyFileError` of all, in the order of their lines."""
        if self.found:
            found = ((line, self.without_secrets(why)) for line, why in self.found)
            told = dict.fromkeys((line, why.replace("\n", "; ")) for line, why in found)
            # The cause would show what the messages do not.
            raise PolicyFileError(self.path, sorted(told, key=lambda problem: problem[0])) from None
