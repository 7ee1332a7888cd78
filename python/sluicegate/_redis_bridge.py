"""Each event loop's bridge to the thread that talks to Redis."""

from __future__ import annotations

import asyncio
import logging
import os
from threading import Lock
from weakref import WeakKeyDictionary

from sluicegate._core import Bridge

__all__ = ["bridge_of", "collect"]

_log = logging.getLogger("sluicegate")

_bridges: WeakKeyDictionary[asyncio.AbstractEventLoop, Bridge] = WeakKeyDictionary()
_making = Lock()


def bridge_of(loop: asyncio.AbstractEventLoop) -> Bridge:
    """The bridge of a running loop, made when it is first needed."""
    bridge = _bridges.get(loop)
    return _new_bridge(loop) if bridge is None else bridge


def _new_bridge(loop: asyncio.AbstractEventLoop) -> Bridge:
    bridge = Bridge()
    loop.add_reader(bridge.fileno(), _collect, bridge, os.getpid())
    with _making:
        # A loop that was closed with calls on their way is held by them, and they by its bridge.
        for other in [other for other in _bridges if other.is_closed()]:
            del _bridges[other]
        _bridges[loop] = bridge
    return bridge


def _collect(bridge: Bridge, owner: int) -> None:
    if os.getpid() == owner:  # in a child in its parent's loop, the answers are not its own
        collect(bridge)


def collect(bridge: Bridge) -> None:
    """Hand out the answers that have arrived, and log what is to be known of servers."""
    for notice in bridge.collect():
        _log.warning(notice)


def _after_fork() -> None:
    """A child leaves its parent's calls and descriptors alone."""
    global _bridges, _making
    for bridge in list(_bridges.values()):
        bridge.abandon()
    _bridges, _making = WeakKeyDictionary(), Lock()


os.register_at_fork(after_in_child=_after_fork)
