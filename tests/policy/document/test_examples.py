"""The examples of policies in files: they are right, and say the same in both formats."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

from asgi_calls import get
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


def test_the_app_is_limited_by_its_file() -> None:
    app: Any = importlib.import_module("limits_app").app
    assert [get(app, path="/login", method="POST").status for _ in range(7)] == [401] * 5 + [
        429
    ] * 2
    assert get(app, path="/health").status == 200
    key = [("x-api-key", "key-of-ada")]
    reports = [get(app, path="/reports/1", headers=key).status for _ in range(30)]
    assert reports == [200] * 30, "ada's tier has more than the ten of others"
