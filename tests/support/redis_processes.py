"""Processes that do not outlive the one that started them, however that one ends."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

# Reads "+pid folder" and "-pid", a line each. The end of its input is the end of our process.
_WATCHER = """
import os, shutil, signal, sys
alive = {}
for line in sys.stdin:
    pid, _, folder = line[1:].rstrip().partition(" ")
    if line[0] == "+":
        alive[int(pid)] = folder
    else:
        alive.pop(int(pid), None)
for pid, folder in alive.items():
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
"""


@functools.cache
def _watcher(_owner: int) -> int:
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-ISc", _WATCHER],
        stdin=reading,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(reading)
    # It ends after us, so nobody is to wait for it.
    process.returncode = 0
    return writing


def _tell(line: str) -> None:
    os.write(_watcher(os.getpid()), f"{line}\n".encode())


class Process:
    """A program in a folder of its own; what it prints goes to ``log`` there.

    When our process ends without ending it, even by SIGKILL, a watcher ends it and removes the
    folder.
    """

    def __init__(self, command: list[str], folder: Path, environment: dict[str, str]) -> None:
        self._owner = os.getpid()
        self.log = folder / "log"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C at a terminal is ours to handle
            )
        self.pid = self._process.pid
        _tell(f"+{self.pid} {folder}")

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def stop(self) -> None:
        """SIGSTOP, and wait until it stands still."""
        self._process.send_signal(signal.SIGSTOP)
        if self.running:
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def cont(self) -> None:
        """SIGCONT; nothing happens when it has ended."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for its end. In a forked child, which does not own it: nothing."""
        if os.getpid() != self._owner:
            return
        self._process.kill()
        self._process.wait(10)
        _tell(f"-{self.pid}")
