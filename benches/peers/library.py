"""What an adapter says of its library, and where adapters are found.

A new one is a file in ``libraries`` that ends in ``LIBRARY = Library(...)``, and a line
in ``libraries.txt``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from benches.peers import libraries
from benches.peers.settings import CALLS, FIRST_KEYS

Algorithm = Literal["log", "segments", "bucket", "counter", "fixed"]
Call = Callable[[str], Any]
Maker = Callable[[int, int], Call]
"""Given limit and window in seconds: the call that decides for a key, as a user writes it."""

JointMaker = Callable[[Sequence[tuple[int, int]]], Call]
"""Given several limits, each with its window: one call for a key that all of them decide."""

AwaitedMaker = Callable[[int, int], Callable[[str], Awaitable[Any]]]
AppMaker = Callable[[int], Any]
"""Given the limit a minute: a FastAPI app with the route /hello behind the limiter."""

OURS = "sluicegate"


@dataclass(frozen=True)
class Contestant:
    """One limiter of a library.

    ``admitted`` reads the answer of ``make``'s call. ``full`` makes a call that also tells
    what remains and when to come back. ``awaited`` decides at once in a coroutine, ``waits``
    until admitted. A contestant that is not ``keyed`` limits one client only. ``calls`` are those of a
    timed block: fewer where one takes a millisecond. ``first_keys`` are those of a first touch: fewer
    where each new key takes longer than the one before.

    Of several limits, ``one_key`` has all for one key; ``each_its_own`` has for each another key, of
    which the first is given. Where there is no such call, several of ``make``'s are made in a row.
    """

    name: str
    algorithm: Algorithm
    make: Maker | None = None
    admitted: Callable[[Any], bool] = bool
    full: Maker | None = None
    awaited: AwaitedMaker | None = None
    waits: AwaitedMaker | None = None
    many: Callable[[int, int], Callable[[list[str]], Any]] | None = None
    keyed: bool = True
    calls: int = CALLS
    first_keys: int = FIRST_KEYS
    one_key: JointMaker | None = None
    each_its_own: JointMaker | None = None


@dataclass(frozen=True)
class Library:
    """A library: its limiters, and apps behind its middleware; ``close`` ends what it started."""

    name: str
    contestants: Sequence[Contestant] = ()
    apps: dict[str, AppMaker] = field(default_factory=dict[str, AppMaker])
    distribution: str = ""
    release: str = ""
    close: Callable[[], object] | None = None

    @property
    def version(self) -> str:
        """``release``, or that of the installed distribution; empty for code without one."""
        return self.release or (version(self.distribution) if self.distribution else "")


def module_names() -> list[str]:
    """Modules with an adapter, ours first: everything is compared to it."""
    names = [module.name for module in pkgutil.iter_modules(libraries.__path__)]
    return sorted(names, key=lambda name: (name != f"of_{OURS}", name))


def load(module: str) -> Library:
    """The adapter in that module. Raises ``ImportError`` if its library is not installed."""
    found: Library = importlib.import_module(f"{libraries.__name__}.{module}").LIBRARY
    return found
