"""What is measured: a module a section. Each has ``measure(library, task)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from benches.peers.settings import sized

Each = Literal["library", "contestant", "app"]


@dataclass(frozen=True)
class Section:
    """How a section is run.

    One worker a library measures it in turns with the others, ``rounds`` times; or, where
    ``fresh``, a process of its own for each contestant. ``apart`` sections time nothing,
    so that two may run at once.
    """

    name: str
    title: str
    rounds: int = 1
    fresh: bool = False
    apart: bool = False
    rows: tuple[str, ...] = ()
    moved_clock: bool = False


# Limits in Redis get sections here, too: throughput, latency, memory and faults.
SECTIONS = [
    Section("hot", "A hot key", sized(7, 60)),
    Section("keys", "10,000 keys", sized(3, 15)),
    Section("batch", "10,000 keys in one call", sized(7, 30)),
    Section("first_touch", "A first touch", sized(1, 3), fresh=True),
    Section("awaited", "Awaited", sized(5, 40)),
    Section("threads", "Four threads", sized(3, 20)),
    Section("tail", "The tail", sized(1, 3), fresh=True),
    Section("memory", "Memory", fresh=True, apart=True, rows=("1 request", "100 requests")),
    Section("idle", "Memory after clients go idle", fresh=True, apart=True),
    Section("races", "Over-admission by threads", fresh=True, apart=True),
    Section("accuracy", "Accuracy", fresh=True, apart=True, moved_clock=True),
    Section("middleware", "Middleware in process", sized(6, 40)),
    Section("served", "Middleware over uvicorn", sized(1, 5)),
]
