"""Requests over HTTP; the load comes from here, the server is a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import IO

from benches.peers.library import Library, module_names
from benches.peers.load import requests
from benches.peers.sample import Sample, Task
from benches.peers.server import BARE
from benches.peers.settings import LOAD_SECONDS, sized

# Short turns, so that the bare app and the other one meet the same moments of the machine.
TURNS = sized(1, 10)


@dataclass(frozen=True)
class Server:
    """A running server: the ports of its apps, and a way to ask what it has used."""

    ports: dict[str, int]
    ask: IO[str]
    answers: IO[str]

    def processor_seconds(self) -> float:
        print(file=self.ask, flush=True)
        return float(self.answers.readline())


@dataclass(frozen=True)
class Turn:
    """What one app did under load."""

    rate: float
    """Requests a second."""
    cost: float
    """Microseconds of a processor for a request, in the server."""


@contextmanager
def serving(module: str) -> Generator[Server, None, None]:
    """A server of all the module's apps; it is stopped afterwards."""
    command = [sys.executable, "-m", "benches.peers.server", module]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Server(json.loads(process.stdout.readline()), process.stdin, process.stdout)
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def turn(server: Server, app: str) -> Turn:
    before = server.processor_seconds()
    answered = requests(server.ports[app])
    used = server.processor_seconds() - before
    return Turn(answered / LOAD_SECONDS, used / answered * 1e6)


def compared(server: Server, app: str) -> list[Sample]:
    turns = [(turn(server, BARE), turn(server, app)) for _ in range(TURNS)]
    share = median(limited.rate / bare.rate for bare, limited in turns)
    added = median(limited.cost - bare.cost for bare, limited in turns)
    return [
        Sample("the bare app", app, "", median(bare.rate for bare, _ in turns), "requests/s"),
        Sample("behind it", app, "", median(limited.rate for _, limited in turns), "requests/s"),
        Sample("share of the bare app's", app, "", share, ""),
        Sample("added in the server", app, "", added, "µs of a processor a request"),
    ]


def measure(library: Library, task: Task) -> list[Sample]:
    module = sys.argv[1]  # the worker's own
    assert module in module_names()
    if not library.apps:
        return []
    with serving(module) as server:
        for app in server.ports:
            turn(server, app)
        return [sample for app in library.apps for sample in compared(server, app)]
