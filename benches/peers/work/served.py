"""Requests a second over HTTP; the load comes from here, the server is a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

from benches.peers.library import Library, module_names
from benches.peers.load import requests_a_second
from benches.peers.sample import Sample, Task

WARM_UP = 0.1


@contextmanager
def server(*arguments: str) -> Generator[int, None, None]:
    """A running server's port; it is stopped afterwards."""
    command = [sys.executable, "-m", "benches.peers.server", *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            requests_a_second(port, WARM_UP)
            yield port
        finally:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def measure(library: Library, task: Task) -> list[Sample]:
    module = sys.argv[1]
    assert module in module_names()
    found: list[Sample] = []
    if not library.apps:
        return found
    with server() as alone:
        for name in library.apps:
            with server(module, name) as through:
                bare, limited = requests_a_second(alone), requests_a_second(through)
            found.append(Sample("the bare app", name, "", bare, "requests/s"))
            found.append(Sample("behind it", name, "", limited, "requests/s"))
            found.append(Sample("share of the bare app's", name, "", limited / bare, ""))
    return found
