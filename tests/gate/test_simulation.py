"""The figures and the picture of docs/gate.md, as the simulation finds them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_says_what_the_simulation_finds(tmp_path: Path) -> None:
    picture = tmp_path / "gate.png"
    done = subprocess.run(
        [sys.executable, "examples/gate_simulation.py", "--picture", picture],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    lines = [line for line in done.stdout.splitlines() if line.startswith("  ")]
    row, gate, user_first, gate_again = (re.findall(r"[\d.]+", line) for line in lines)
    assert row == ["75", "300", "225", "900", "1800"]
    assert gate == ["300", "300", "0", "0", "1800"]
    assert user_first == ["109", "263", "20.92"]
    assert gate_again == ["359", "0", "0.08"]
    page = (ROOT / "docs" / "gate.md").read_text()
    for figure in (
        "| 900 of 1,800 | 0 |",
        "| 75 | 300 |",
        "| 20.9 hours | 5 minutes |",
        "| 263 | 0 |",
    ):
        assert figure in page
