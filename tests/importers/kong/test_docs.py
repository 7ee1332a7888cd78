"""The example in the documentation."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import toml_parser
from kong_policies import written
from sluicegate.importers.kong.reading import read_kong
from sluicegate.importers.text import policy_text

PAGE = Path(__file__).parents[3] / "docs" / "import.md"


def test_the_page_shows_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = PAGE.read_text().partition("# From Kong")[2]
    given, shown = (
        re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL)[0] for kind in ("yaml", "toml")
    )
    written(tmp_path, given)
    monkeypatch.chdir(tmp_path)
    policy = policy_text(read_kong("kong.yml"))
    assert toml_parser.loads(policy) == toml_parser.loads(shown)
    comments = [line for line in shown.splitlines() if line.startswith("#")]
    assert [line for line in policy.splitlines() if line in comments] == comments
