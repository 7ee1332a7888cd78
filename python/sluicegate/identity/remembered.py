"""Verified keys, remembered for a while, and never as they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sluicegate.identity.principal import Principal

__all__ = ["Known", "Remembered"]


class Known(NamedTuple):
    principal: Principal
    #: By the clock of the memory; afterwards one only knows that the key was good once.
    until: float


class Remembered:
    """Principals by a keyed hash of their keys. May be shared by threads: no step needs a lock.

    Args:
        ttl: seconds for which one is believed.
        max_keys: how many are kept; the oldest goes first.
        time: the clock.
    """

    __slots__ = ("_known", "_max_keys", "_secret", "_time", "_ttl", "epoch")

    def __init__(self, ttl: float, max_keys: int, time: Callable[[], float]) -> None:
        self._ttl = ttl
        self._max_keys = max_keys
        self._time = time
        self._secret = os.urandom(32)
        self._known: dict[bytes, Known] = {}
        #: Another after each time that something was forgotten: what was asked before it is
        #: not remembered after it.
        self.epoch = object()

    def hashed(self, key: str) -> bytes:
        encoded = key.encode("utf-8", "surrogatepass")
        return blake2b(encoded, digest_size=16, key=self._secret).digest()

    def get(self, hashed: bytes) -> Known | None:
        return self._known.get(hashed)

    def is_fresh(self, known: Known) -> bool:
        return self._time() < known.until

    def until(self) -> float:
        """How long one is believed who is asked for now."""
        return self._time() + self._ttl

    def put(self, hashed: bytes, known: Known, epoch: object) -> None:
        """Remember who it was, asked for in that epoch."""
        self._known.pop(hashed, None)
        self._known[hashed] = known
        if epoch is not self.epoch:
            # Perhaps another thread forgets it at this moment.
            self._known.pop(hashed, None)
        while len(self._known) > self._max_keys:
            self._drop_the_oldest()

    def _drop_the_oldest(self) -> None:
        with suppress(RuntimeError, StopIteration):  # another thread changes it as well
            self._known.pop(next(iter(self._known)), None)

    def drop(self, hashed: bytes, known: Known | None) -> None:
        """It was not verified when it was asked for again; another may have been since."""
        if self._known.get(hashed) is known:
            self._known.pop(hashed, None)

    def forget(self, key: str) -> None:
        self.epoch = object()
        self._known.pop(self.hashed(key), None)

    def clear(self) -> None:
        self.epoch = object()
        self._known.clear()
