"""Watches the file of a policy from a thread of its own, and has it read again when it changes."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from weakref import ref

__all__ = ["Watcher", "watch"]

_log = logging.getLogger("sluicegate")

#: A changed file is read at so many looks: it may change again within one tick of its times.
_LOOKS: Final = 3
#: Seconds for which a file must stay as it is before it is read, and how often that is waited for.
_STILL: Final = 0.05
_MOST_WAITS: Final = 20

Signature = tuple[int, ...] | None


class Watcher:
    """Looks at a policy's file, and has it read when it is another one.

    Args:
        where: the path, whose links are followed anew at each look.
        reload: reads the file; ``hasty`` when it may not be written to its end.
        pause: waits for some seconds.
    """

    def __init__(
        self,
        where: str,
        reload: Callable[..., bool],
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._where = where
        self._reload = reload
        self._pause = pause
        self._seen: Signature = ()
        self._looks_left = 0

    def look(self) -> None:
        """Have the file read if it has changed lately."""
        signature = _signature(self._where)
        is_new = signature != self._seen
        if is_new:
            self._seen = self._stilled(signature)
            self._looks_left = _LOOKS
        if self._looks_left:
            self._looks_left -= 1
            self._reload(hasty=is_new)

    def look_again(self) -> None:
        """Have the next look read the file, whether it has changed or not."""
        self._looks_left = max(self._looks_left, 1)

    def _stilled(self, signature: Signature) -> Signature:
        """The signature when nobody writes any more, as far as one can tell."""
        for _ in range(_MOST_WAITS):
            self._pause(_STILL)
            before, signature = signature, _signature(self._where)
            if signature == before:
                break
        return signature


def _signature(where: str) -> Signature:
    """What tells a file from another one, or from itself when it is written; ``None``: there is none."""
    try:
        found = os.stat(where)
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def watch(policy: Any) -> None:
    """Watch the file of a policy, as long as somebody holds that, from a new thread."""
    thread = threading.Thread(
        target=_watching, args=(ref(policy),), name="sluicegate-policy", daemon=True
    )
    try:
        thread.start()
    except RuntimeError as error:  # there are too many, or the interpreter ends
        _log.warning("The policy's file is not watched: %s.", error)


def _watching(weak: Callable[[], Any]) -> None:
    policy = weak()
    if policy is None:
        return
    source = policy.source
    watcher = Watcher(source.where, source.reload)
    failed = False
    while policy is not None:
        try:
            watcher.look()
            if source.may_recover:
                watcher.look_again()
        except Exception:
            if not failed:
                failed = True
                _log.exception("The policy's file could not be looked at; logged once.")
        del policy  # which may go while this thread sleeps
        time.sleep(source.reload_seconds)
        policy = weak()
