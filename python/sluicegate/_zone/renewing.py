"""Renews the permits that this process holds in zones: by one thread, while there are any."""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol
from weakref import ref

from sluicegate._support import fork

__all__ = ["renewed"]

_log = logging.getLogger("sluicegate")


class Renewable(Protocol):
    """What holds permits."""

    def renew(self) -> float | None:
        """Renew what is held; the seconds until it is time again, ``None`` while nothing is."""
        ...


class _Renewer:
    """When what is to be renewed next, and the thread that does."""

    def __init__(self) -> None:
        self._lock = fork.new_lock()
        self.begin()

    def begin(self) -> None:
        """A child has no threads, and holds nothing yet."""
        # By the id of what is renewed: it is asked for each permit, and must cost nothing.
        self._due: dict[int, tuple[float, ref[Renewable]]] = {}
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, held: Renewable, seconds: float) -> None:
        """Renew it after so many seconds, and from then on by itself."""
        # It leaves before it is renewed. So while it is here, it will see the newest permit.
        known = self._due.get(id(held))
        if known is not None and known[1]() is held:
            return
        with self._lock:
            self._due[id(held)] = time.monotonic() + seconds, ref(held)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="sluicegate-permits", daemon=True
                )
                self._thread.start()
            else:
                self._woken.set()

    def _run(self) -> None:
        while True:
            self._woken.clear()
            with self._lock:
                if not self._due:
                    self._thread = None
                    return
                number, (due, known) = min(self._due.items(), key=_time)
            left = due - time.monotonic()
            if left > 0:
                self._woken.wait(left)
                continue
            self._due.pop(number, None)
            held = known()
            if held is not None:
                self._renew(held)

    def _renew(self, held: Renewable) -> None:
        try:
            seconds = held.renew()
        except Exception:
            _log.exception("Permits of %r were not renewed.", held)
            return
        if seconds is not None:
            self.add(held, seconds)


def _time(item: tuple[int, tuple[float, ref[Renewable]]]) -> float:
    return item[1][0]


_renewer = _Renewer()


def _after_fork() -> None:
    _renewer.begin()


fork.call_in_child(_after_fork)


def renewed(held: Renewable, seconds: float) -> None:
    """See to it that what is held is renewed, after so many seconds for the first time.

    To be called whenever something was taken; it takes some 100 ns where it was called before.
    """
    _renewer.add(held, seconds)
