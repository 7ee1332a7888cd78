"""One limit of several processes: a file a way to share it.

A new one is a file ``of_….py`` that ends in ``WAY = Way(...)``: it is measured by the worker of its
library. What it needs beside the library is a line in ``libraries.txt``.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benches.peers.library import Algorithm

Server = Literal["redis", "memcached"]


@dataclass(frozen=True)
class Place:
    """Where the processes meet: a new folder, and the server that the way needs."""

    folder: Path
    url: str = ""


@dataclass(frozen=True)
class Way:
    """How the processes of a library share a limit.

    ``prepare`` is called before they are forked, with the place and the limit an hour. What it
    returns each of them calls: for the call that decides, always for the same client. ``endless`` is a
    limit that they do not use up: in a zone millions are admitted a second.
    """

    library: str
    who: str
    algorithm: Algorithm
    prepare: Callable[[Place, int], Callable[[], Callable[[], bool]]]
    needs: Server | None = None
    endless: int = 1_000_000_000


def ways_of(library: str) -> Iterator[Way]:
    """The ways of that library. Raises ``ImportError`` if it lacks what one of them needs."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    for name in sorted(each for each in names if each.startswith("of_")):
        if name.startswith(f"of_{library.replace('-', '_')}_"):
            found: Way = importlib.import_module(f"{__name__}.{name}").WAY
            yield found
