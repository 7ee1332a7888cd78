"""The wall clock of a process steps: what limiters show follows it, and they agree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polling import until
from redis_clock import MissingError, MovedClock

HOUR = 3600.0
START = 490_000 * HOUR + 600.0  # ten minutes past an hour

# Three limiters are made before the clock steps, and three for each line that is read. The clock
# is looked at every millisecond, so a line has to wait for longer than that.
PROGRAM = """
import json, sys, time
from sluicegate import FixedWindow, SlidingWindowRateLimiter, TokenBucket
from sluicegate.headers import QuotaHeaders

def make():
    window, log = FixedWindow(5, 3600), SlidingWindowRateLimiter(5, 3600)
    return {"window": window, "log": log, "bucket": TokenBucket(capacity=5, refill_rate=5 / 3600)}

early = make()
for line in sys.stdin:
    time.sleep(0.01)
    key, said = line.strip(), {}
    for made, limiters in (("early", early), ("late", make())):
        for name, limiter in limiters.items():
            decision = limiter.check(key)
            fields = QuotaHeaders(limiter, "api", "x-ratelimit").fields(decision)
            said[f"{made} {name}"] = {
                "allowed": decision.allowed,
                "remaining": decision.remaining,
                "reset_at": decision.reset_at,
                "header": int(dict(fields)[b"x-ratelimit-reset"]),
            }
    said["free_at"] = early["log"].get_reset_time(key)
    print(json.dumps(said), flush=True)
"""


class Program:
    """The process whose clock is moved."""

    def __init__(self, folder: Path) -> None:
        self.clock = MovedClock(folder)
        self.clock.set(START)
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | self.clock.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def check(self, key: str) -> dict[str, Any]:
        """What each limiter decides for ``key``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{key}\n")
        self._process.stdin.flush()
        said: dict[str, Any] = json.loads(self._process.stdout.readline())
        return said

    def close(self) -> None:
        self._process.communicate(timeout=60)
        self.clock.close()
        assert self._process.returncode == 0


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    try:
        started = Program(tmp_path)
    except MissingError as missing:
        pytest.skip(str(missing))
    yield started
    started.close()


def assert_shown(said: dict[str, Any], now: float) -> None:
    """All of ``said`` was decided at about ``now``, ten minutes past an hour."""
    assert said["early window"]["reset_at"] == said["late window"]["reset_at"] == now + 3000
    assert said["early window"]["header"] == said["late window"]["header"] == now + 3000
    for made in ("early", "late"):
        # The clock stands still; limiters count on by the monotonic one, a second at the most.
        assert said[f"{made} log"]["reset_at"] == pytest.approx(now + HOUR, abs=1.5)
        assert said[f"{made} log"]["header"] == pytest.approx(now + HOUR, abs=2.5)
    # Another unit is missing from a bucket that has been spent from twice.
    assert said["late bucket"]["reset_at"] == pytest.approx(now + HOUR / 5, abs=1.5)


@pytest.mark.parametrize("hours", [2, -2, 24 * 365])
def test_what_is_shown_follows_a_step(program: Program, hours: int) -> None:
    first = program.check("k")
    assert_shown(first, START)
    assert first["free_at"] == pytest.approx(START + HOUR, abs=1.5)
    now = START + hours * HOUR
    program.clock.set(now)
    second = program.check("k")
    assert_shown(second, now)
    # What was spent stays spent, and the log's first unit leaves an hour after it came.
    assert [second[f"early {name}"]["remaining"] for name in ("window", "log", "bucket")] == [3] * 3
    assert second["free_at"] == pytest.approx(now + HOUR, abs=10)
    assert second["early bucket"]["reset_at"] == pytest.approx(now + 2 * HOUR / 5, abs=10)


def test_a_window_ends_by_the_new_time(program: Program) -> None:
    left = [program.check("k")["early window"]["remaining"] for _ in range(5)]
    assert left == [4, 3, 2, 1, 0]
    # The clock is put to a quarter of a second before the hour ends, and runs on from there.
    program.clock.run(START + 3000 - 0.25 - time.time())
    said: dict[str, Any] = {}

    def is_admitted() -> bool:
        said.update(program.check("k")["early window"])
        return bool(said["allowed"])

    until(is_admitted, "the hour to end")
    assert (said["remaining"], said["reset_at"]) == (4, START + 3000 + HOUR)
