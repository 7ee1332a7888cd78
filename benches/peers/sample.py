"""One figure of one round, as a worker tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """``value`` is in ``unit``; ``floor`` is a ``dict.get`` beside it, in the same unit."""

    row: str
    who: str
    algorithm: str
    value: float
    unit: str
    floor: float | None = None


@dataclass(frozen=True)
class Task:
    """What a worker is asked: one round of a section, of one contestant or of all.

    ``fresh``: in a process of its own, forked from one that has measured nothing yet.
    """

    section: str
    who: str | None = None
    row: str | None = None
    round: int = 0
    fresh: bool = False
