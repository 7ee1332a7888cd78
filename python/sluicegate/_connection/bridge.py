"""Each event loop's bridge to the thread that talks to Redis."""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from threading import Lock

from sluicegate._core import Bridge
from sluicegate._support import fork

__all__ = ["bridge_of", "collect", "running_loop"]

_log = logging.getLogger("sluicegate")

# By the loops' ids, and gone with them: a WeakKeyDictionary takes 0.4 µs to find one.
_bridges: dict[int, Bridge] = {}
_loops: dict[int, weakref.ref[asyncio.AbstractEventLoop]] = {}
_making = Lock()


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
    bridge = _bridges.get(id(loop))
    return _new_bridge(loop) if bridge is None else bridge


def _new_bridge(loop: asyncio.AbstractEventLoop) -> Bridge:
    bridge = Bridge()
    loop.add_reader(bridge.fileno(), _collect, bridge, os.getpid())
    number = id(loop)
    with _making:
        # A loop that was closed with calls on their way is held by them, and they by its bridge.
        # (Not `items`: tuples are made for it, and what is collected then may forget a loop.)
        for ref in list(_loops.values()):
            known = ref()
            if known is not None and known.is_closed():
                _forget(id(known))
        _bridges[number] = bridge
        _loops[number] = weakref.ref(loop, lambda _: _forget(number))
    return bridge


def _forget(number: int) -> None:
    _loops.pop(number, None)
    _bridges.pop(number, None)


def _collect(bridge: Bridge, owner: int) -> None:
    if os.getpid() == owner:  # in a child in its parent's loop, the answers are not its own
        collect(bridge)


def collect(bridge: Bridge) -> None:
    """Hand out the answers that have arrived, and log what is to be known of servers."""
    for notice in bridge.collect():
        _log.warning(notice)


def _after_fork() -> None:
    """A child leaves its parent's calls and descriptors alone."""
    global _bridges, _loops, _making
    for bridge in list(_bridges.values()):
        bridge.abandon()
    _bridges, _loops, _making = {}, {}, Lock()


fork.call_in_child(_after_fork)
