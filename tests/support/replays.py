"""Access logs as servers write them, and the command that replays them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

START = 1_431_857_100
SECOND = 1_000_000


def line(client: str = "192.0.2.1", second: int = 0, request: str = "GET /a HTTP/1.1") -> str:
    stamp = datetime.fromtimestamp(START + second, timezone.utc).strftime("%d/%b/%Y:%H:%M:%S +0000")
    return f'{client} - - [{stamp}] "{request}" 200 17 "-" "Mozilla/5.0 (\\"x\\")"\n'


def write(folder: Path, text: str, name: str = "access.log") -> str:
    path = folder / name
    path.write_text(text, newline="")
    return str(path)


def run(
    *arguments: str, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "sluicegate", *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
    )


def document(*arguments: str, **options: Any) -> Any:
    done = run("replay", "--json", *arguments, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
