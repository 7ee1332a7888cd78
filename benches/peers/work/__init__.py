"""What is measured: a module a section. Each has ``measure(library, task)``."""

from __future__ import annotations

from dataclasses import dataclass

from benches.peers.settings import sized


@dataclass(frozen=True)
class Section:
    """How a section is run.

    One worker a library measures it in turns with the others, ``rounds`` times; or, where
    ``fresh``, each contestant (and each of the ``rows``) does so in a process of its own.
    Sections that time nothing run several libraries ``at_once``.
    """

    name: str
    title: str
    rounds: int = 1
    fresh: bool = False
    at_once: int = 1
    rows: tuple[str, ...] = ()
    moved_clock: bool = False


# Limits in Redis get sections here, too: throughput, latency, memory and faults.
SECTIONS = [
    Section("hot", "A hot key", sized(5, 25)),
    Section("keys", "10,000 keys", sized(2, 7)),
    Section("together", "Three limits", sized(5, 20)),
    Section("batch", "10,000 keys in one call", sized(7, 15)),
    Section("first_touch", "A first touch", sized(1, 2), fresh=True),
    Section("awaited", "Awaited", sized(5, 20)),
    Section("threads", "Four threads", sized(3, 12)),
    Section("across", "Four processes, one limit", sized(1, 3)),
    Section("tail", "The tail", sized(1, 3), fresh=True),
    Section("memory", "Memory", fresh=True, at_once=2, rows=("1 request", "100 requests")),
    Section("idle", "Memory after clients go idle", fresh=True, at_once=6),
    Section("races", "Over-admission by threads", fresh=True, at_once=2),
    Section("accuracy", "Accuracy", fresh=True, at_once=2, moved_clock=True),
    Section("middleware", "Middleware in process", sized(4, 25)),
    Section("served", "Middleware over uvicorn", sized(1, 3)),
]
