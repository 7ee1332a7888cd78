"""A process that measures one library: ``python -m benches.peers.worker MODULE``.

It reads tasks from its input, one JSON object a line, and answers each with a line.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from benches.peers.library import Library, load
from benches.peers.sample import Task


def introduced() -> tuple[Library | None, dict[str, Any]]:
    """The library, and who it is; or why it cannot be measured."""
    try:
        library = load(sys.argv[1])
        contestants = [each.name for each in library.contestants if each.make is not None]
        said = {"name": library.name, "version": library.version, "contestants": contestants}
    except ImportError as why:
        return None, {"skipped": str(why)}
    return library, said


def answer(library: Library, task: Task) -> dict[str, Any]:
    """Samples, or what went wrong: one section's failure must not end the others."""
    try:
        section = importlib.import_module(f"benches.peers.work.{task.section}")
        return {"samples": [asdict(sample) for sample in section.measure(library, task)]}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def in_a_fork(library: Library, task: Task) -> bytes:
    """The answer of a child: what this process has imported, and nothing that it measured."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "wb") as out:
            out.write(told(answer(library, task)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as heard:
        line = heard.read()
    os.waitpid(child, 0)
    return line or told({"failed": "the process died"})


def told(said: dict[str, Any]) -> bytes:
    return json.dumps(said).encode() + b"\n"


def main() -> None:
    # Libraries and servers may print; only answers go where the parent reads.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    library, said = introduced()
    gc.collect()
    gc.freeze()  # what was imported is not what is measured
    answers.write(told(said))
    for line in sys.stdin if library is not None else ():
        assert library is not None
        task = Task(**json.loads(line))
        answers.write(in_a_fork(library, task) if task.fresh else told(answer(library, task)))
    if library is not None and library.close is not None:
        library.close()
    os._exit(0)  # timers and sweepers that a library started would keep us


if __name__ == "__main__":
    main()
