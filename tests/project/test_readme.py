"""Every shell command of the README works as printed."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SHELL = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)

LINE = '192.0.2.1 - - [17/May/2015:10:05:03 +0000] "GET /a HTTP/1.1" 200 17 "-" "-"\n'


def test_shell_snippets(tmp_path: Path) -> None:
    commands = [line for snippet in SHELL for line in snippet.splitlines() if line]
    makefile = (ROOT / "Makefile").read_text()
    for command in commands:
        words = shlex.split(command, comments=True)
        if words[0] == "make":
            assert re.search(rf"^{words[1]}:", makefile, re.MULTILINE), command
            continue
        assert words[0] == "sluicegate"
        (tmp_path / "access.log.gz").write_text(LINE * 200)
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert "200 requests by 1 clients" in done.stdout
        assert (tmp_path / "refused.png").stat().st_size > 1_000
