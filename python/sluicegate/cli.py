"""The command line, ``sluicegate`` (extra ``[cli]``): a line for what is wrong, and exit code 2."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from sluicegate._support.arguments import printable
from sluicegate.errors import PolicyFileError, StoreError

__all__ = ["main"]

_INTERRUPTED = 130
_EXTRAS = {"typer": "cli", "rich": "cli", "click": "cli", "crossplane": "import", "yaml": "import"}


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    if sys.stdout is None:
        _fail("standard output must be open, and is closed")
    try:
        from sluicegate.commands import run

        sys.exit(run(sys.argv[1:] if arguments is None else arguments))
    except ModuleNotFoundError as missing:
        package = (missing.name or "").partition(".")[0]
        if package not in _EXTRAS:
            raise
        _fail(f'{missing.name} is not installed: pip install "sluicegate[{_EXTRAS[package]}]"')
    except PolicyFileError as error:
        _end_with(*str(error).split("\n"))
    except (ValueError, StoreError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except OSError as error:
        # What is still buffered cannot be written either, and must not fail again at exit.
        _discard(1)
        if isinstance(error, BrokenPipeError):  # the reader has had enough, as `head` has
            sys.exit(0)
        _fail(f"standard output must be writable: {error.strerror}")


def _fail(message: str) -> NoReturn:
    _end_with("sluicegate: " + " ".join(message.split()))


def _end_with(*lines: str) -> NoReturn:
    if sys.stderr is not None:  # else print would write to standard output
        try:
            for line in lines:
                print(printable(line), file=sys.stderr, flush=True)
        except OSError:
            _discard(2)
    sys.exit(2)


def _discard(stream: int) -> None:
    """From now on nothing is written there, and so nothing fails."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


if __name__ == "__main__":
    main()
