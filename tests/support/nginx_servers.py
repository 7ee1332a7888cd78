"""A real nginx on loopback, in a temporary directory, ended by the test that started it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from polling import until

NGINX = shutil.which("nginx")

#: What runs one is skipped, with this reason, where there is none.
needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx on PATH")

_MAIN = """
daemon off;
worker_processes 2;
pid nginx.pid;
error_log error.log;
{user}
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    add_header X-Limit $limit_req_status always;
    include tested.conf;
}}
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def configured(folder: Path, http: str) -> Path:
    """Write an ``nginx.conf`` that includes a file with ``http``; the tested one is the whole."""
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "tested.conf").write_text(http)
    path = folder / "nginx.conf"
    path.write_text(_MAIN.format(user=user))
    return path


@contextlib.contextmanager
def nginx(path: Path, port: int) -> Iterator[None]:
    """Run nginx with this configuration, which listens at the port."""
    assert NGINX is not None
    process = subprocess.Popen(
        [NGINX, "-p", str(path.parent), "-c", str(path), "-e", str(path.parent / "error.log")],
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: _answers(port) or process.poll() is not None, "nginx serves", pause=0.02)
        assert process.poll() is None, process.communicate()[1].decode()
        yield
    finally:
        process.terminate()
        process.wait(10)
        assert process.stderr is not None
        process.stderr.close()


def refusal_of(path: Path) -> str:
    """What nginx says against a configuration; empty if nothing."""
    assert NGINX is not None
    done = subprocess.run(
        [
            NGINX,
            "-t",
            "-q",
            "-p",
            str(path.parent),
            "-c",
            str(path),
            "-e",
            str(path.parent / "error.log"),
        ],
        capture_output=True,
        text=True,
        timeout=20,
    )
    return done.stderr if done.returncode else ""


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
