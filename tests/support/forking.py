"""Programs that fork, for tests: what a child does, and whether it ends well and in time."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterable

import pytest

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no os.fork")


def forked(work: Callable[[], object]) -> int:
    """A child that does ``work`` and ends: with 0, or with 1 if that raised."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def ended_well(children: Iterable[int], within: float = 30) -> None:
    """Wait for them; those that hang are ended."""
    end, left = time.monotonic() + within, list(children)
    while left and time.monotonic() < end:
        done, status = os.waitpid(left[0], os.WNOHANG)
        if done:
            assert status == 0, status
            left.pop(0)
        time.sleep(0.001)
    for child in left:
        os.kill(child, 9)
    assert not left, "a child hangs"


#: The same, for programs.
FORKED = f"""
import os, sys, threading, time, traceback
from collections.abc import Callable, Iterable
{inspect.getsource(forked)}
{inspect.getsource(ended_well)}
"""


def program_that_forks(code: str) -> None:
    """Run it in a process of its own: threads that still work end with it."""
    code = f"{FORKED}{code}\nprint('fine', flush=True)\nos._exit(0)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "fine\n", done.stderr
