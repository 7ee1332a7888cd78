"""Zones for tests: in a directory of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a zone that nobody has made yet."""
    return f"shared://{tmp_path}/limits.zone?size=1m"
