"""``sluicegate import nginx``."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import toml_parser
from nginx_configs import ZONES, write
from replays import run

PLAIN = ZONES + "server { location / { limit_req zone=ip burst=2; } }"
MAPPED = (
    "map $http_x $k { a 1; } limit_req_zone $k zone=k:1m rate=1r/s; server { limit_req zone=k; }"
)


def test_a_policy_is_written_and_shown(tmp_path: Path) -> None:
    path, output = write(tmp_path, PLAIN), tmp_path / "limits.toml"
    done = run("import", "nginx", str(path), "-o", str(output))
    assert done.returncode == 0
    policy = toml_parser.loads(output.read_text())
    assert policy["rules"][0]["quota"] == "10/second burst 3"
    assert policy["store"] == "shared:limits"
    assert b"10/second burst 3" in done.stdout
    # Zones that are not used, in a table of what has no equivalent.
    assert b"Without an equivalent:" in done.stderr
    assert b"zone=slow:1m" in done.stderr
    assert b"Without" not in done.stdout
    assert sorted(p.name for p in tmp_path.iterdir()) == ["limits.toml", "nginx.conf"]


def test_without_a_file_the_policy_is_printed_for_a_program(tmp_path: Path) -> None:
    path = write(tmp_path, PLAIN)
    done = run("import", "nginx", str(path))
    assert done.returncode == 0
    assert toml_parser.loads(done.stdout.decode())["rules"][0]["name"] == "ip"


def test_without_a_file_a_terminal_gets_a_table(tmp_path: Path) -> None:
    write(tmp_path, PLAIN + "limit_rate 5k;")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sluicegate", "import", "nginx", "nginx.conf"]
    done = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "COLUMNS": "100"}, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # which is how Linux says that nobody writes any more
        while piece := os.read(ours, 65_536):
            shown += piece
    os.close(ours)
    assert done.wait(10) == 0
    text = shown.decode()
    assert "[[rules]]" not in text
    (row,) = [line for line in text.splitlines() if "10/second burst 3" in line]
    assert row.split()[0] == "*"
    assert "nginx.conf" in row
    assert "Without an equivalent:" in text
    assert "a policy limits requests, not" in text
    assert [path.name for path in tmp_path.iterdir()] == ["nginx.conf"]


def test_keys_become_a_module_beside_the_policy(tmp_path: Path) -> None:
    path, output = write(tmp_path, MAPPED), tmp_path / "my-limits.toml"
    done = run("import", "nginx", str(path), "-o", str(output))
    assert done.returncode == 0, done.stderr
    assert toml_parser.loads(output.read_text())["keys"] == {"k": "my_limits_keys:k"}
    code = (
        "import my_limits_keys as m; print(m.k({'headers': [(b'x', b'A')]}), m.k({'headers': []}))"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert printed.stdout.split() == ["1", "None"], printed.stderr
    # It cannot be printed beside the policy.
    done = run("import", "nginx", str(path))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"give a file by -o" in done.stderr


def test_what_is_wrong_is_told_line_by_line_and_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path, "limit_req zone=a;\nlimit_conn b 5;\nserver { }")
    output = tmp_path / "limits.toml"
    output.write_text("old")
    done = run("import", "nginx", str(path), "-o", str(output))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode().splitlines() == [
        f"{path}:3: limit_req: no limit_req_zone declares the zone 'a'",
        f"{path}:4: limit_conn: no limit_conn_zone declares the zone 'b'",
    ]
    assert output.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["limits.toml", "nginx.conf"]


@pytest.mark.parametrize("output", ["missing/limits.toml", "."])
def test_a_place_that_cannot_be_written(output: str, tmp_path: Path) -> None:
    done = run("import", "nginx", str(write(tmp_path, PLAIN)), "-o", str(tmp_path / output))
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1
    assert b"must be" in done.stderr


def test_a_package_that_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "crossplane.py").write_text("raise ModuleNotFoundError(name='crossplane')")
    done = run("import", "nginx", str(write(tmp_path, PLAIN)), PYTHONPATH=f"{tmp_path}:python")
    assert done.returncode == 2
    assert b'crossplane is not installed: pip install "sluicegate[import]"' in done.stderr


def test_a_command_without_what_to_import() -> None:
    done = run("import")
    assert done.returncode == 2
    assert b"nginx" in run("import", "--help").stdout
