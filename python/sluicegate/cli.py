"""The command line, ``sluicegate`` (extra ``[cli]``): what is wrong is one line, and exit code 2."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

__all__ = ["main"]

_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    try:
        from sluicegate.replay.command import run
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in ("typer", "rich", "click"):
            raise
        _fail(f'{missing.name} is not installed: pip install "sluicegate[cli]"')
    try:
        sys.exit(run(sys.argv[1:] if arguments is None else arguments))
    except ValueError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except BrokenPipeError:
        # The reader has had enough, as `head` has; nothing more can be said to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)


def _fail(message: str) -> NoReturn:
    print("sluicegate: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
