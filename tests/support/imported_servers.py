"""uvicorn with four workers and an imported policy, counted in a zone; ended by the test."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from polling import until
from sluicegate.importers.document import Document, Entry
from sluicegate.importers.text import policy_text

HERE = Path(__file__).parent
WORKERS = 4


def written(document: Document, folder: Path) -> Path:
    """The policy's file, with a zone of the test's own.

    Where it counts by a header, the test's clients are trusted proxies: of others no header counts.
    """
    document.options[0] = Entry({"store": f"shared://{folder}/limits.zone"})
    if any("header:" in str(rule.values.get("by")) for rule in document.rules):
        document.identity.append(Entry({"trusted_proxies": ["127.0.0.0/8"]}))
    path = folder / "limits.toml"
    path.write_text(policy_text(document))
    if document.functions is not None:
        (folder / f"{document.module}.py").write_text(document.functions)
    return path


@contextlib.contextmanager
def uvicorn(policy: Path, port: int) -> Iterator[None]:
    """Serve :mod:`imported_app` with this policy, in a new zone each time."""
    begun = policy.parent / "begun"
    begun.mkdir(exist_ok=True)
    for path in begun.iterdir():
        path.unlink()
    (policy.parent / "limits.zone").unlink(missing_ok=True)
    folders = [str(HERE), str(policy.parent), str(HERE.parents[1] / "python")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(folders),
        "IMPORTED_POLICY": str(policy),
        "IMPORTED_WORKERS": str(begun),
        "RATE_LIMIT_SECRET": "of this test, and of no other",
    }
    quiet = ["--log-level", "critical", "--no-access-log", "--no-proxy-headers"]
    command = [
        "uvicorn",
        "--workers",
        str(WORKERS),
        *quiet,
        "--port",
        str(port),
        "imported_app:app",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=HERE, env=environment, start_new_session=True
    )
    try:
        # A file for each worker: who has begun cannot be told from who happens to answer.
        until(
            lambda: len([*begun.iterdir()]) >= WORKERS or process.poll() is not None,
            "uvicorn serves",
        )
        assert process.poll() is None, "uvicorn has ended"
        yield
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a session of our own
            process.wait()
