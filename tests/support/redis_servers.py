"""Real Redis or Valkey servers for tests and benchmarks: started, broken and ended by them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

from polling import until
from redis_binaries import find_server, speaks_tls, version
from redis_clock import MissingError, MovedClock
from redis_faults import BlackHole
from redis_processes import Process
from redis_tls import Certificates
from redis_wire import HOST, ReplyError, Wire, bindable, free_port

__all__ = ["Certificates", "MissingError", "Server", "find_server"]


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Server:
    """A server on a free port of the loopback, with a temporary folder and nothing on disk.

    Use it in a ``with``; it has answered a PING when the block begins and is gone, and its folder
    with it, when the block ends. ``port`` speaks plain TCP in every case.

    - ``unixsocket``: listens there as well; ``unix_url``.
    - ``tls``: ``url`` is a ``rediss://`` one, ``certificates.ca_file`` its authority. A server
      built without TLS gets a proxy in front that speaks it.
    - ``user`` and ``password``: an ACL user who may do everything; the default user is off. A
      password alone is the default user's.
    - ``moved_clock``: ``set_time`` and ``advance`` move its wall clock.
    - ``sentinel``: runs as a Sentinel. ``config``: more lines of redis.conf, by name.

    Raises ``MissingError`` when this machine has no server, or cannot move a clock.
    """

    def __init__(
        self,
        *,
        unixsocket: bool = False,
        tls: bool = False,
        user: str = "",
        password: str = "",
        maxmemory_policy: str = "noeviction",
        moved_clock: bool = False,
        sentinel: bool = False,
        config: Mapping[str, str] | None = None,
        program: Path | None = None,
    ) -> None:
        if user and not password:
            raise ValueError("user needs a password")
        self.program = program or find_server()
        self.port = free_port()
        self.user, self.password = user, password
        self._unixsocket, self._tls, self._moved_clock = unixsocket, tls, moved_clock
        self._sentinel = sentinel
        self._config = dict(config or {})
        if not sentinel:
            self._config["maxmemory-policy"] = maxmemory_policy
        self.folder = Path()
        self._clock: MovedClock | None = None
        self.tls_port = 0
        self._process: Process | None = None
        self._owned = contextlib.ExitStack()

    def __enter__(self) -> Server:
        with contextlib.ExitStack() as owned:
            self.folder = Path(tempfile.mkdtemp(prefix="redis-"))
            owned.callback(self._forget_folder, os.getpid())
            owned.callback(self.kill)
            if self._moved_clock:
                self._clock = MovedClock(self.folder)
                owned.callback(self._clock.close)
            if self._tls:
                self.certificates = Certificates(self.folder)
                self._config |= self._native_tls() if speaks_tls(self.program) else {}
            # Once: a Sentinel rewrites it, and a restart goes on from there.
            self._config_file.write_text("".join(f"{line}\n" for line in self._lines()))
            self._launch()
            if self._tls and not speaks_tls(self.program):
                context = self.certificates.server_context()
                self.tls_port = owned.enter_context(BlackHole(self.port, tls=context)).port
            self._owned = owned.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._owned.close()

    @property
    def pid(self) -> int:
        """The process id of the server as it runs now."""
        assert self._process, "the server was not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it was started and neither ended nor was killed."""
        return self._process is not None and self._process.running

    @property
    def url(self) -> str:
        """How a client reaches it."""
        scheme, port = ("rediss", self.tls_port) if self._tls else ("redis", self.port)
        return f"{scheme}://{self._login()}{HOST}:{port}/0"

    @property
    def unix_path(self) -> Path:
        """Its Unix socket, when it has one."""
        return self.folder / "socket"

    @property
    def unix_url(self) -> str:
        """How a client reaches it by its Unix socket."""
        return f"unix://{self._login()}{self.unix_path}?db=0"

    def wire(self) -> Wire:
        """A new connection to it, logged in. Close it, or use it in a ``with``."""
        return Wire(self.port, user=self.user, password=self.password)

    def command(self, *words: str | bytes | int) -> Any:
        """One command on a connection of its own; its reply as bytes, int, None or a list."""
        with self.wire() as wire:
            return wire.call(*words)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone. Killing it twice is no error."""
        if self._process:
            self._process.kill()

    def restart(self) -> None:
        """Kill it if it runs, and start it again on the same port, empty."""
        self.kill()
        until(lambda: bindable(self.port), f"port {self.port} free again")
        self._launch()

    def stop(self) -> None:
        """SIGSTOP: it still accepts connections (the kernel does) and answers nothing."""
        if self._process:
            self._process.stop()

    def cont(self) -> None:
        """SIGCONT: it answers again, first what it was sent meanwhile."""
        if self._process:
            self._process.cont()

    @property
    def moved(self) -> MovedClock:
        """Its wall clock; ``ValueError`` without ``moved_clock=True``."""
        if not self._clock:
            raise ValueError("the server was not started with moved_clock=True")
        return self._clock

    def set_time(self, seconds: float) -> None:
        """Stand its wall clock still at this Unix time; its next command sees it."""
        self.moved.set(seconds)

    def advance(self, seconds: float) -> None:
        """Stand its wall clock still ``seconds`` after what it shows now."""
        self.moved.advance(seconds)

    def time_micros(self) -> int:
        """What its TIME answers, in microseconds."""
        seconds, micros = self.command("TIME")
        return int(seconds) * 1_000_000 + int(micros)

    @property
    def _config_file(self) -> Path:
        return self.folder / "redis.conf"

    def _login(self) -> str:
        return f"{quote(self.user, '')}:{quote(self.password, '')}@" if self.password else ""

    def _native_tls(self) -> dict[str, str]:
        self.tls_port = free_port()
        return {
            "tls-port": str(self.tls_port),
            "tls-ca-cert-file": str(self.certificates.ca_file),
            "tls-cert-file": str(self.certificates.certificate_file),
            "tls-key-file": str(self.certificates.key_file),
            "tls-auth-clients": "no",
        }

    def _lines(self) -> list[str]:
        lines = [f"port {self.port}", f"bind {HOST}", "protected-mode no", f'dir "{self.folder}"']
        if self._unixsocket:
            lines.append(f'unixsocket "{self.unix_path}"')
        if not self._sentinel:
            lines += ['save ""', "appendonly no", "repl-diskless-sync-delay 0"]
        # Older ones allow DEBUG to everybody.
        if not self._sentinel and version(self.program) >= (7,):
            lines.append("enable-debug-command local")
        lines += [f"{name} {value}" for name, value in self._config.items()]
        if self.user:
            lines.append(f"user {self.user} on {_quoted('>' + self.password)} ~* &* +@all")
            lines.append("user default off")
        elif self.password:
            lines.append(f"requirepass {_quoted(self.password)}")
        return lines

    def _launch(self) -> None:
        command = [str(self.program), str(self._config_file)]
        if self._sentinel:
            command.append("--sentinel")
        self._process = Process(
            command, self.folder, self._clock.environment if self._clock else {}
        )
        until(self._answers, f"a PING answered by {self.program}")

    def _answers(self) -> bool:
        assert self._process
        if not self._process.running:
            raise RuntimeError(f"the server ended:\n{self._process.log.read_text()[-2000:]}")
        try:
            return bool(self.command("PING") == b"PONG")
        except (OSError, ReplyError):
            return False

    def _forget_folder(self, owner: int) -> None:
        if os.getpid() == owner:
            shutil.rmtree(self.folder, ignore_errors=True)
