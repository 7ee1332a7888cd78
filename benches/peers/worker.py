"""A process that measures one library: ``python -m benches.peers.worker MODULE``.

It reads tasks from its input, one JSON object a line, and answers each with a line.
"""

from __future__ import annotations

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


def main() -> None:
    # Libraries and servers may print; only answers go where the parent reads.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    library, said = introduced()
    print(json.dumps(said), file=answers, flush=True)
    for line in sys.stdin if library is not None else ():
        assert library is not None
        print(json.dumps(answer(library, Task(**json.loads(line)))), file=answers, flush=True)
    os._exit(0)  # timers and sweepers that a library started would keep us


if __name__ == "__main__":
    main()
