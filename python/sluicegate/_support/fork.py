"""What is done around a fork: the package's hooks, and what registers for them."""

from __future__ import annotations

import os
import threading
import time
from itertools import count

from sluicegate import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from weakref import ref

    Lock = threading.RLock

__all__ = ["call_in_child", "new_lock"]

# A fork waits no longer for locks, in seconds: a thread that holds one may itself wait for another.
_PATIENCE = 1.0

_numbers = count()
_locks: dict[int, ref[Lock]] = {}
_in_child: dict[int, Callable[[], Callable[[], object] | None]] = {}
_let_go = type(threading.RLock()).release


class _Held(threading.local):
    """The locks that a thread has taken to fork."""

    def __init__(self) -> None:
        self.locks: list[Lock] = []


_held = _Held()


def new_lock() -> Lock:
    """A lock for moments, of one object, that is free in a forked child and guards a whole state.

    It may be taken again by its thread, as by what a signal or the garbage collector runs.
    """
    from weakref import ref  # limiters in memory do without

    lock = threading.RLock()
    number = next(_numbers)
    _locks[number] = ref(lock, lambda _: _locks.pop(number, None))
    return lock


def call_in_child(method: Callable[[], object]) -> None:
    """Call a function in every forked child; a bound method as long as its object lives.

    All are called, whatever one raises; the first exception is reported when all were.
    """
    number = next(_numbers)
    if hasattr(method, "__self__"):
        from sluicegate._support.weak import weak_method

        _in_child[number] = weak_method(method, _in_child, number)
    else:
        _in_child[number] = lambda: method


def _before() -> None:
    until = time.monotonic() + _PATIENCE
    for lock in _alive():
        if lock.acquire(timeout=max(0, until - time.monotonic())):
            _held.locks.append(lock)


def _in_child_after() -> None:
    held = set(map(id, _held.locks))
    _release()
    for lock in _alive():
        if id(lock) not in held:
            lock._at_fork_reinit()  # type: ignore[attr-defined]  # noqa: SLF001
    raised: list[BaseException] = []
    for known in list(_in_child.values()):
        try:
            if (method := known()) is not None:
                method()
        except BaseException as error:  # a signal's handler may raise anything  # noqa: PERF203
            raised.append(error)
    if raised:
        raise raised[0]


def _alive() -> list[Lock]:
    return [lock for known in list(_locks.values()) if (lock := known()) is not None]


def _release() -> None:
    try:
        any(map(_let_go, iter(_held.locks.pop, None)))  # in one step, as far as signals can tell
    except IndexError:
        return  # that was the last


if hasattr(os, "register_at_fork"):
    # A child finds every lock free and nobody waiting: its parent's threads are not there.
    # The core's are no Python functions, and so no handler of a signal that came meanwhile can
    # raise in their place. It may in one of ours, which therefore comes twice.
    os.register_at_fork(
        before=_core.before_fork,
        after_in_parent=_core.after_fork_in_parent,
        after_in_child=_core.after_fork_in_child,
    )
    os.register_at_fork(before=_before, after_in_parent=_release, after_in_child=_in_child_after)
    os.register_at_fork(after_in_parent=_release)
