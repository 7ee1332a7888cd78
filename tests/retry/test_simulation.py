"""The simulation of article 1's claim: jitter keeps most retries apart."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_jitter_keeps_most_retries_apart(tmp_path: Path) -> None:
    picture = tmp_path / "retries.png"
    done = subprocess.run(
        [sys.executable, "examples/retry_simulation.py", "--runs", "50", "--picture", picture],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.lstrip().startswith("±")]
    colliding = {row[0]: int(row[2].rstrip("%")) for row in rows}
    assert colliding["±0%"] > 90  # all but the first of each round
    assert 0 < colliding["±20%"] < colliding["±0%"] / 3  # the article says 73 % fewer
    assert picture.read_bytes().startswith(b"\x89PNG")
