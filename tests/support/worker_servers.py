"""Real servers with several workers, ended by the test that started them."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from polling import until

HERE = Path(__file__).parent
WORKERS = 4
APP = "zone_app:app"
_BIN = Path(sys.executable).parent


def _gunicorn(address: str, *more: str) -> list[str]:
    kind = ["-k", "uvicorn_worker.UvicornWorker", "-w", str(WORKERS), "--log-level", "critical"]
    return ["gunicorn", *kind, *more, "--graceful-timeout", "2", "-b", address, APP]


def _gunicorn_sync(address: str) -> list[str]:
    kind = ["-k", "sync", "-w", str(WORKERS), "--log-level", "critical"]
    return ["gunicorn", *kind, "--graceful-timeout", "2", "-b", address, "wsgi_workers:app"]


def _uvicorn(address: str) -> list[str]:
    port = address.rpartition(":")[2]
    quiet = ["--log-level", "critical", "--no-access-log"]
    return ["uvicorn", "--workers", str(WORKERS), *quiet, "--port", port, APP]


def _granian(address: str) -> list[str]:
    host, _, port = address.partition(":")
    quiet = ["--log-level", "critical", "--workers-kill-timeout", "2"]
    where = ["--interface", "asgi", "--host", host, "--port", port]
    return ["granian", *where, "--workers", str(WORKERS), *quiet, APP]


#: What runs the app with four workers, by name.
SERVERS: Mapping[str, Callable[[str], list[str]]] = {
    "uvicorn": _uvicorn,
    "gunicorn": _gunicorn,
    "gunicorn --preload": lambda address: _gunicorn(address, "--preload"),
    "granian": _granian,
    "hypercorn": lambda address: ["hypercorn", "-w", str(WORKERS), "-b", address, APP],
}


#: What runs the WSGI app that ``WSGI_APP`` names.
WSGI_SERVERS: Mapping[str, Callable[[str], list[str]]] = {"gunicorn sync": _gunicorn_sync}


class Served:
    """A server that runs, and what it answers."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, begun: Path) -> None:
        self.process, self.port = process, port
        self._begun = begun

    def get(
        self, path: str = "/", method: str = "GET", body: str | None = None, **headers: str
    ) -> tuple[int, int]:
        """The status, and which worker it is of; a new connection each time."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            response.read()
            return response.status, int(response.headers["x-worker"])
        finally:
            connection.close()

    def ask(self, times: int, path: str = "/", at_once: int = 16, **request: str) -> Counter[int]:
        """How often each status is answered; by more than one worker."""
        with ThreadPoolExecutor(at_once) as pool:
            answers = list(pool.map(lambda _: self.get(path, **request), range(times)))
        assert len({worker for _, worker in answers}) > 1, "one worker has answered all"
        return Counter(status for status, _ in answers)

    def workers(self) -> set[int]:
        """Those that serve at present."""
        assert self.process.poll() is None, "the server has ended"
        begun = (int(path.name) for path in self._begun.iterdir())
        return {number for number in begun if _lives(number)}

    def restart_workers(self) -> None:
        """Tell the server to end its workers and begin others; return when these alone serve."""
        before = self.workers()
        self.process.send_signal(signal.SIGHUP)
        until(
            lambda: len(self.workers()) == WORKERS and not self.workers() & before,
            "other workers serve",
        )


@contextlib.contextmanager
def served_by(server: str, store: str, quota: Path, **more: str) -> Iterator[Served]:
    """Serve the app of :mod:`zone_app`, with the quota that is written in that file."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = {**SERVERS, **WSGI_SERVERS}[server](f"127.0.0.1:{port}")
    begun = Path(tempfile.mkdtemp(dir=quota.parent))
    environment = {
        **os.environ,
        **more,
        "PYTHONPATH": os.pathsep.join(
            map(str, (HERE, HERE.parents[1] / "python", HERE.parents[1] / "examples"))
        ),
        "ZONE_APP_STORE": store,
        "ZONE_APP_QUOTA": str(quota),
        "ZONE_APP_WORKERS": str(begun),
    }
    process = subprocess.Popen(
        [_BIN / command[0], *command[1:]], cwd=HERE, env=environment, start_new_session=True
    )
    served = Served(process, port, begun)
    try:
        until(lambda: len(served.workers()) == WORKERS, f"{server} serves")
        yield served
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # a session of our own
            process.wait()


def _lives(number: int) -> bool:
    """Whether a process has not ended, nor waits to be buried."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
