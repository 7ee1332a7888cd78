"""The servers that some ways need: ones of our own, on the loopback."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from benches.peers.across import Server
from benches.peers.settings import ROOT

sys.path.append(str(ROOT / "tests" / "support"))


def missing(server: Server | None) -> str:
    """Why there is no such server here; empty if there is one, or none is needed."""
    if server == "redis":
        from redis_binaries import find_server
        from redis_clock import MissingError

        try:
            find_server()
        except MissingError as why:
            return str(why)
    if server == "memcached" and shutil.which("memcached") is None:
        return "no memcached on PATH"
    return ""


@contextmanager
def serving(server: Server | None) -> Generator[str]:
    """The server's URL, as long as the block runs; empty if none is needed."""
    if server == "redis":
        from redis_servers import Server as Redis

        with Redis() as redis:
            yield redis.url
    elif server == "memcached":
        with _memcached() as url:
            yield url
    else:
        yield ""


@contextmanager
def _memcached() -> Generator[str]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    options = ["-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "nobody"]
    process = subprocess.Popen(["memcached", *options])
    try:
        _until_it_listens(port)
        yield f"memcached://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(5)


def _until_it_listens(port: int) -> None:
    from polling import until

    until(lambda: _listens(port), "memcached")


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
