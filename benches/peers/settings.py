"""How much is measured. ``QUICK=1`` measures all of it, with fewer and smaller repeats."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "bench-output"
QUICK = bool(os.environ.get("QUICK"))

T = TypeVar("T")


def sized(quick: T, full: T) -> T:
    """The value for this run."""
    return quick if QUICK else full


HOT = "203.0.113.7"
CALLS = 2_000
"""Calls a timed block makes. A log that admits them all holds that many requests."""

PLENTY = 1_000_000
"""A limit that no measurement uses up."""

FEW = 100
HOUR = 3600

KEYS = 10_000
FIRST_KEYS = sized(20_000, 1_000_000)
RESIDENT_KEYS = sized(10_000, 200_000)
TIMED_CALLS = sized(10_000, 200_000)
IDLE_CLIENTS = sized(8_000, 50_000)
MEMORY_SECONDS = sized(0.1, 1.5)
RACES = sized(30, 150)
ACROSS_SECONDS = sized(0.15, 1.0)
REQUESTS = sized(60, 120)
LOAD_SECONDS = sized(0.12, 0.15)
CONNECTIONS = 16


def requests_from(count: int) -> Iterator[str]:
    """A request from each of so many clients: the key is a new string, as it is in life."""
    return (f"ip:10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(count))


def addresses(count: int) -> list[str]:
    """That many clients' keys, all different."""
    return list(requests_from(count))
