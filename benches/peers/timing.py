"""Timed blocks of calls, each beside a block of ``dict.get`` with the same keys."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from benches.peers.library import Contestant
from benches.peers.sample import Sample

Call = Callable[[str], Any]


@contextmanager
def no_collections() -> Generator[None, None, None]:
    """A collection would land on one side of a comparison."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def block(call: Call, keys: Iterable[str]) -> int:
    """Nanoseconds of a call with each of the keys, the loop included."""
    start = time.perf_counter_ns()
    for key in keys:
        call(key)
    return time.perf_counter_ns() - start


def empty_block(keys: Iterable[str]) -> int:
    start = time.perf_counter_ns()
    for _ in keys:
        pass
    return time.perf_counter_ns() - start


def floor_and_loop(keys: Sequence[str]) -> tuple[float, float]:
    """Nanoseconds a key of a bound ``dict.get`` and of a turn of the loop."""
    get = dict.fromkeys(keys, 0).get
    block(get, keys)
    loop = empty_block(keys) / len(keys)
    return block(get, keys) / len(keys) - loop, loop


def timed(row: str, contestant: Contestant, call: Call, keys: Sequence[str]) -> Sample:
    """What a call costs, the loop taken off it and off the floor."""
    with no_collections():
        floor, loop = floor_and_loop(keys)
        took = block(call, keys) / len(keys) - loop
    return Sample(row, contestant.name, contestant.algorithm, took, "ns", floor)


def chosen(
    contestants: Iterable[Contestant], who: str | None, *, many_clients: bool = False
) -> list[Contestant]:
    """Those that decide without a coroutine, or the one that was asked for."""
    return [
        each
        for each in contestants
        if each.make is not None and who in (None, each.name) and (each.keyed or not many_clients)
    ]
