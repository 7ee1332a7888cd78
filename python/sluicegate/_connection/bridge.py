"""Each event loop's bridge to the thread that talks to Redis."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from sluicegate._core import Bridge
from sluicegate._support import fork
from sluicegate._support.per_loop import PerLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sluicegate._core import Decision

    D = TypeVar("D", bound=Decision)
T = TypeVar("T")

__all__ = ["bridge_of", "collect", "planned", "running_loop", "then"]

_log = logging.getLogger("sluicegate")

_bridges: PerLoop[Bridge] = PerLoop()


def running_loop() -> asyncio.AbstractEventLoop:
    """The event loop that runs this.

    Raises ``RuntimeError`` with what to do if there is none, as under trio.
    """
    loop = asyncio._get_running_loop()  # noqa: SLF001
    if loop is None:
        raise RuntimeError(
            "limits in Redis need an asyncio event loop, and none runs here. Where trio runs "
            "the app, as with `hypercorn -k trio`, use `-k asyncio` or `-k uvloop`, or leave "
            "out redis= to count in memory."
        )
    return loop


def bridge_of(loop: asyncio.AbstractEventLoop) -> Bridge:
    """The bridge of a running loop, made when it is first needed."""
    bridge = _bridges.find(loop)
    return _bridges.here(loop, partial(_new_bridge, loop)) if bridge is None else bridge


def _new_bridge(loop: asyncio.AbstractEventLoop) -> Bridge:
    bridge = Bridge()
    loop.add_reader(bridge.fileno(), _collect, bridge, os.getpid())
    return bridge


def _collect(bridge: Bridge, owner: int) -> None:
    if os.getpid() == owner:  # in a child in its parent's loop, the answers are not its own
        collect(bridge)


def collect(bridge: Bridge) -> None:
    """Hand out the answers that have arrived, and log what is to be known of servers."""
    for notice in bridge.collect():
        _log.warning(notice)


def planned(
    loop: asyncio.AbstractEventLoop,
    bridge: Bridge,
    future: asyncio.Future[D],
    begun: D | Literal[True] | None,
) -> asyncio.Future[D]:
    """The future of a call that was begun."""
    if begun is True:
        loop.call_soon(bridge.flush)
    elif begun is not None:
        future.set_result(begun)
    return future


async def then(awaited: Awaitable[T], does: Callable[[], object]) -> T:
    """What a call comes to, and what is to be done then."""
    try:
        told = await awaited
    except asyncio.CancelledError:
        does()  # it was sent, and comes before what is asked now
        raise
    does()
    return told


def _after_fork() -> None:
    """A child leaves its parent's calls and descriptors alone."""
    global _bridges
    for bridge in _bridges.all():
        bridge.abandon()
    _bridges = PerLoop()


fork.call_in_child(_after_fork)
