"""Celery's prefork pool with limiters that are made, and used, before the fork."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from redis_servers import Server

celery: Any = pytest.importorskip("celery", reason="pip install celery")

LIMIT, CALLS = 20, 50
APP = """
import os, sys
from celery import Celery
from sluicegate.redis import SlidingWindowRateLimiter

folder = os.environ["FOLDER"]
app = Celery("limited", broker="filesystem://", backend=f"file://{folder}/results")
app.conf.broker_transport_options = {
    "data_folder_in": f"{folder}/queue",
    "data_folder_out": f"{folder}/queue",
    "control_folder": f"{folder}/control",
}
limiter = SlidingWindowRateLimiter(os.environ["SERVER"], int(os.environ["LIMIT"]), 1e6, timeout=30)
limiter.peek_sync("before the fork")

@app.task(name="limited.ask")
def ask(key):
    return bool(limiter.check_sync(key)), os.getpid()
"""


@contextmanager
def worker(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with two processes, ended as an operator would, or killed if that takes long."""
    command = [sys.executable, "-m", "celery", "-A", "limited", "worker", "-P", "prefork"]
    command += ["-c", "2", "-l", "ERROR", "--without-gossip", "--without-mingle"]
    paths = os.pathsep.join([str(folder), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    process = subprocess.Popen(
        command, cwd=folder, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        yield process
        process.terminate()
        process.wait(30)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_workers_decide_exactly_and_go_on_after_a_kill(
    tmp_path: Path, redis_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("queue", "results", "control"):
        (tmp_path / name).mkdir()
    (tmp_path / "limited.py").write_text(APP)
    for name, value in (
        ("FOLDER", str(tmp_path)),
        ("SERVER", redis_server.url),
        ("LIMIT", str(LIMIT)),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.syspath_prepend(str(tmp_path))
    limited: Any = __import__("limited")

    def answers(key: str, calls: int) -> list[tuple[bool, int]]:
        results = [limited.ask.delay(key) for _ in range(calls)]
        return [tuple(result.get(timeout=30)) for result in results]

    with worker(tmp_path) as first:
        found = answers("a", CALLS)
        assert sum(admitted for admitted, _ in found) == LIMIT
        assert first.pid not in {pid for _, pid in found}, "its children decide"
        os.killpg(first.pid, signal.SIGKILL)
    with worker(tmp_path) as second:
        assert not any(admitted for admitted, _ in answers("a", 3)), "what was spent is spent"
        found = answers("b", CALLS)
        os.kill(found[0][1], signal.SIGKILL)
        found += answers("b", CALLS)
        assert sum(admitted for admitted, _ in found) == LIMIT
    assert second.returncode == 0
    limited.limiter.close()
