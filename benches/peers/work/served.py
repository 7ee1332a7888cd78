"""Requests a second over HTTP; the load comes from here, the server is a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from statistics import median

from benches.peers.library import Library, module_names
from benches.peers.load import requests_a_second
from benches.peers.sample import Sample, Task
from benches.peers.server import BARE
from benches.peers.settings import sized

WARM_UP = 0.1
TURNS = sized(1, 3)


@contextmanager
def serving(module: str) -> Generator[dict[str, int], None, None]:
    """The ports of a running server's apps; it is stopped afterwards."""
    command = [sys.executable, "-m", "benches.peers.server", module]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def compared(bare: int, limited: int) -> tuple[float, float]:
    """Requests a second at either port, in turns."""
    rates = [(requests_a_second(bare), requests_a_second(limited)) for _ in range(TURNS)]
    return median(each for each, _ in rates), median(each for _, each in rates)


def measure(library: Library, task: Task) -> list[Sample]:
    module = sys.argv[1]  # the worker's own
    assert module in module_names()
    found: list[Sample] = []
    if not library.apps:
        return found
    with serving(module) as ports:
        for port in ports.values():
            requests_a_second(port, WARM_UP)
        for name in library.apps:
            bare, limited = compared(ports[BARE], ports[name])
            found.append(Sample("the bare app", name, "", bare, "requests/s"))
            found.append(Sample("behind it", name, "", limited, "requests/s"))
            found.append(Sample("share of the bare app's", name, "", limited / bare, ""))
    return found
