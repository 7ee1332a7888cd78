"""The command line in this process: a second faster than as a program of its own."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

from sluicegate.cli import main

__all__ = ["Done", "run_here"]


class Done(NamedTuple):
    """What came of it, as of a program."""

    returncode: int
    stdout: bytes
    stderr: bytes


def run_here(*arguments: str) -> Done:
    out, errors, path = io.StringIO(), io.StringIO(), [*sys.path]
    code = 0
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            main([*arguments])
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        finally:
            sys.path[:] = path
    return Done(code, out.getvalue().encode(), errors.getvalue().encode())
