"""The page about the middleware: its snippets run as printed, and it leaves out no option."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sluicegate.asgi import RateLimitMiddleware
from sluicegate.fastapi import rate_limit

PAGE = (Path(__file__).parents[2] / "docs" / "middleware.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_the_snippets_run(code: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_table_names_each_option_and_whose_it_is() -> None:
    table = PAGE[PAGE.index("| job") : PAGE.index("An option of the other place")]
    named = dict(re.findall(r"`(\w+)`(\*?)", table))
    of_middleware = set(inspect.signature(RateLimitMiddleware).parameters) - {"app"}
    of_dependency = set(inspect.signature(rate_limit).parameters) - {
        "limit",
        "scope",
        "window",
        "window_seconds",
    }
    assert set(named) == of_middleware
    assert {option for option, star in named.items() if not star} == of_dependency
