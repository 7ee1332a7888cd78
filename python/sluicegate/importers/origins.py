"""Where in a configuration something stands, and what is wrong there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["ImportFileError", "Origin", "Problem", "Source"]


class Origin(NamedTuple):
    """A place in a file that is imported.

    Attributes:
        file: its path, as it was given or included.
        line: from 1; ``None`` for the whole file.
    """

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Source(NamedTuple):
    """What stands somewhere, on one line."""

    origin: Origin
    text: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.text}"


class Problem(NamedTuple):
    """Something for which a file cannot be imported."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"


class ImportFileError(ValueError):
    """A file cannot be imported. Its text has a line for each problem: ``nginx.conf:12: reason``.

    Attributes:
        problems: all that were found, in the order of the file.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(map(str, self.problems)))
