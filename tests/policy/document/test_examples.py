"""The examples of policies in files: they are right, and say the same in both formats."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from sluicegate.policy import Policy

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(autouse=True)
def _beside_the_app(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    yield
    sys.modules.pop("limits_app", None)


def test_both_files_are_the_same_policy() -> None:
    first, second = (Policy.from_file(EXAMPLES / f"limits.{kind}") for kind in ("toml", "yaml"))
    for policy in (first, second):
        assert [*(policy.tiers or ())] == ["free", "premium", "enterprise"]  # type: ignore[arg-type]
    assert [*map(repr, first.rules)] == [*map(repr, second.rules)]
    names = set(vars(first)) - {"rules", "rules_given", "enforcer", "source", "on_first_request"}
    assert {name: getattr(first, name) for name in names} == {
        name: getattr(second, name) for name in names
    }
