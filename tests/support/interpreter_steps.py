"""Between any two steps of Python's interpreter something else happens."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["at_step_of"]


@contextmanager
def at_step_of(
    files: Container[str | None], step: int, do: Callable[[], object]
) -> Iterator[list[bool]]:
    """Call ``do`` before the so-manieth step of the interpreter in these files; whether it came to that."""
    left, came = step, [False]

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode" and not _is_being_closed(frame):
            left -= 1
            if left == 0:
                came[0] = True
                sys.settrace(None)
                do()
        return trace

    before = sys.gettrace()
    # Python 3.12 tells of steps only where a frame asked for them before its thread was traced.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(trace)
    try:
        yield came
    finally:
        sys.settrace(before)


def _is_being_closed(frame: FrameType) -> bool:
    """Whether it is a generator that nobody asks for more, from Python 3.12 on.

    Such a one runs steps that stand in no line. No handler runs between them, no other thread has its
    turn there, and what is raised reaches nobody.
    """
    is_generator = bool(frame.f_code.co_flags & inspect.CO_GENERATOR)
    return sys.version_info >= (3, 12) and is_generator and frame.f_lineno is None
