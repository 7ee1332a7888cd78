"""Real servers with four workers each, over HTTP: the limit is the limit, whoever decides."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker_servers import SERVERS, served_by

LIMIT = 100


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"shared://{tmp_path}/limits.zone?size=1m"


@pytest.fixture
def quota(tmp_path: Path) -> Path:
    path = tmp_path / "quota"
    path.write_text(f"{LIMIT}/hour")
    return path


@pytest.mark.parametrize("server", SERVERS)
def test_four_workers_admit_exactly_the_limit(server: str, store: str, quota: Path) -> None:
    with served_by(server, store, quota) as served:
        assert served.ask(3 * LIMIT) == {200: LIMIT, 429: 2 * LIMIT}
    with served_by(server, store, quota) as served:  # the whole app, begun anew
        assert served.ask(50) == {429: 50}


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn"])
def test_state_outlives_the_workers(server: str, store: str, quota: Path) -> None:
    with served_by(server, store, quota) as served:
        assert served.ask(60) == {200: 60}
        served.restart_workers()
        assert served.ask(60) == {200: LIMIT - 60, 429: 20}
