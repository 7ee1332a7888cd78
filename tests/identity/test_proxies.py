"""The set-ups of docs/proxies.md, with real servers: who rotates a header is limited."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from polling import until
from redis_wire import free_port

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "proxies.md").read_text()
BLOCKS = [block.splitlines() for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)]
OURS, UNIX, THEIRS = BLOCKS
FORGED = [f"6.6.6.{number}" for number in range(6)]
LIMITED = [200] * 3 + [429] * 3
REWRITTEN = "the server seems to have taken it from there"

#: One app a set of trusted proxies; the path chooses.
APP = """
import logging
from sluicegate.asgi import RateLimitMiddleware
logging.basicConfig(level=logging.WARNING)

async def hello(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

def limited(proxies):
    return RateLimitMiddleware(hello, tiers={"free": (3, 3600)}, trusted_proxies=proxies)

apps = {
    "/nobody": limited(()),
    "/elsewhere": limited(["10.0.0.0/8"]),
    "/here": limited(["127.0.0.1"]),
    "/socket": limited(["unix"]),
}

async def app(scope, receive, send):
    if scope["type"] == "http":
        await apps[scope["path"]](scope, receive, send)
    else:
        assert scope["type"] == "lifespan"
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
"""


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, whose path is the host."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.host)


class Serving:
    """A server that runs."""

    def __init__(self, folder: Path, port: int | None) -> None:
        self._folder = folder
        self._port = port

    def connection(self) -> http.client.HTTPConnection:
        if self._port is None:
            return UnixConnection(str(self._folder / "app.sock"), timeout=30)
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)

    def is_up(self) -> bool:
        with contextlib.closing(self.connection()) as connection:
            try:
                connection.connect()
            except OSError:
                return False
        return True

    def statuses(self, path: str, forwarded: list[str]) -> list[int]:
        """What a peer is answered that sends these headers, one after the other."""
        found = []
        for value in forwarded:
            with contextlib.closing(self.connection()) as connection:
                connection.request("GET", path, headers={"X-Forwarded-For": value})
                found.append(connection.getresponse().status)
        return found

    def log(self) -> str:
        return (self._folder / "log").read_text()


@contextlib.contextmanager
def serving(command: str, folder: Path) -> Iterator[Serving]:
    """Run a command of the page, bound to a port of our own."""
    (folder / "app.py").write_text(APP)
    program, *options = shlex.split(command)
    port = None if "--uds" in options else free_port()
    if port is not None:
        bind = ["--port", str(port)] if program == "uvicorn" else ["--bind", f"127.0.0.1:{port}"]
        options += bind
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    environment.pop("FORWARDED_ALLOW_IPS", None)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program, *options],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    server = Serving(folder, port)
    try:
        until(lambda: server.is_up() or process.poll() is not None, command, timeout=60)
        assert process.poll() is None, server.log()
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.parametrize("command", OURS)
def test_where_we_decide(command: str, tmp_path: Path) -> None:
    with serving(command, tmp_path) as server:
        # A peer that is no proxy.
        assert server.statuses("/nobody", FORGED) == LIMITED
        assert server.statuses("/elsewhere", FORGED) == LIMITED
        # A proxy on this host adds the client's address to what the client sent.
        for client in ("203.0.113.9", "203.0.113.10"):
            added = [f"{value}, {client}" for value in FORGED]
            assert server.statuses("/here", added) == LIMITED
        assert REWRITTEN not in server.log()
        assert "x-forwarded-for, which is ignored" in server.log()


@pytest.mark.parametrize("command", UNIX)
def test_over_a_unix_socket(command: str, tmp_path: Path) -> None:
    with serving(command, tmp_path) as server:
        for client in ("203.0.113.9", "203.0.113.10"):
            added = [f"{value}, {client}" for value in FORGED]
            assert server.statuses("/socket", added) == LIMITED
        assert server.statuses("/nobody", FORGED) == LIMITED


@pytest.mark.parametrize("command", THEIRS)
def test_where_the_server_decides(command: str, tmp_path: Path) -> None:
    with serving(command, tmp_path) as server:
        assert server.statuses("/nobody", FORGED) == LIMITED
        assert REWRITTEN not in server.log()
    command = command.replace("10.0.0.5", "127.0.0.1")
    with serving(command, tmp_path) as server:
        for client in ("203.0.113.9", "203.0.113.10"):
            added = [f"{value}, {client}" for value in FORGED]
            assert server.statuses("/nobody", added) == LIMITED
        assert server.log().count(REWRITTEN) == 1


@pytest.mark.parametrize(
    "command",
    [
        "uvicorn app:app",
        "gunicorn app:app --worker-class uvicorn_worker.UvicornWorker",
        'uvicorn app:app --forwarded-allow-ips "*"',
    ],
)
def test_a_server_that_takes_the_clients_word_is_told_of(command: str, tmp_path: Path) -> None:
    """No limit can hold then: the peer is gone before the request comes here."""
    with serving(command, tmp_path) as server:
        for path in ("/nobody", "/elsewhere"):
            assert server.statuses(path, FORGED) == [200] * 6
        assert server.log().count(REWRITTEN) == 2


def test_the_page_shows_all_servers() -> None:
    programs = [shlex.split(command)[0] for command in OURS + UNIX + THEIRS]
    assert programs == ["uvicorn", "gunicorn", "gunicorn", "hypercorn"] + ["uvicorn"] * 2 + [
        "gunicorn"
    ]
