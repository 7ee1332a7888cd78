"""Processes that ask one limit at once, forked from the one that has prepared it."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

Call = Callable[[], bool]

#: What proxies of a manager do after a fork is done by `multiprocessing` alone.
_CONTEXT = multiprocessing.get_context("fork")
_LONGEST = 20.0  # seconds for what takes one or two


@dataclass(frozen=True)
class Counted:
    """What one process did, or all together: checks a second, those admitted, and how many these are."""

    per_second: float
    admitted_per_second: float
    admitted: int


def asked(connect: Callable[[], Call], processes: int, seconds: float) -> Counted:
    """All at once, each for so long. Raises ``RuntimeError`` if one of them did not come to an end."""
    ready = _CONTEXT.Barrier(processes)
    pipes = [_CONTEXT.Pipe(duplex=False) for _ in range(processes)]
    asking = [
        _CONTEXT.Process(target=_ask, args=(connect, ready, say, seconds), daemon=True)
        for _, say in pipes
    ]
    for each in asking:
        each.start()
    try:
        counts = [_heard(hear) for hear, _ in pipes]
    finally:
        for each in asking:
            each.join(_LONGEST)
            each.kill()
    return Counted(
        sum(each.per_second for each in counts),
        sum(each.admitted_per_second for each in counts),
        sum(each.admitted for each in counts),
    )


def _heard(hear: Any) -> Counted:
    if not hear.poll(2 * _LONGEST):
        raise RuntimeError("a process does not answer")
    said = hear.recv()
    if isinstance(said, str):
        raise RuntimeError(said)
    return Counted(*said)


def _ask(connect: Callable[[], Call], ready: Any, say: Any, seconds: float) -> None:
    try:
        call = connect()
        first = call()
        ready.wait(_LONGEST)
        said: Any = _counted(call, seconds, first)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    say.send(said)


def _counted(call: Call, seconds: float, first: bool) -> tuple[float, float, int]:
    """Blocks of calls, after each of which it looks at the clock."""
    calls = admitted = 0
    block = 1
    begin = now = time.perf_counter()
    while now - begin < seconds:
        for _ in repeat(None, block):
            admitted += call()
        calls += block
        before, now = now, time.perf_counter()
        if now - before < seconds / 50:
            block *= 2
    took = now - begin
    return calls / took, admitted / took, admitted + first
