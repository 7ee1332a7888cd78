"""Everything that a run found, and its JSON."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benches.peers.figures import Figure
from benches.peers.settings import QUICK


def machine() -> str:
    """What kind of machine this is, in words that name none."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}, {python}"


@dataclass
class Results:
    """The figures, with who took part, who could not, and what went wrong."""

    figures: list[Figure] = field(default_factory=list[Figure])
    versions: dict[str, str] = field(default_factory=dict[str, str])
    skipped: dict[str, str] = field(default_factory=dict[str, str])
    failed: list[str] = field(default_factory=list[str])
    machine: str = field(default_factory=machine)
    quick: bool = QUICK
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    def of(self, section: str, row: str | None = None) -> list[Figure]:
        """The section's figures, or only those of one row."""
        return [f for f in self.figures if f.section == section and row in (None, f.row)]

    def one(self, section: str, row: str, library: str, who: str) -> Figure | None:
        wanted = (section, row, library, who)
        for each in self.figures:
            if (each.section, each.row, each.library, each.who) == wanted:
                return each
        return None

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")


def read(path: Path) -> Results:
    """What :meth:`Results.save` wrote."""
    content = json.loads(path.read_text())
    content["figures"] = [Figure(**each) for each in content["figures"]]
    return Results(**content)


def merged(earlier: Results, later: Results) -> Results:
    """The later run's figures, and the earlier one's of what it left out."""
    measured = {(each.section, each.library) for each in later.figures}
    kept: Sequence[Figure] = [
        each for each in earlier.figures if (each.section, each.library) not in measured
    ]
    return Results(
        figures=[*kept, *later.figures],
        versions=earlier.versions | later.versions,
        skipped=later.skipped,
        failed=later.failed,
        quick=earlier.quick or later.quick,
        seconds=earlier.seconds | later.seconds,
    )
