"""A server's wall clock is where the test has put it, to the microsecond."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from polling import until
from redis_clock import MovedClock
from redis_servers import Server

if TYPE_CHECKING:
    from redis_fixtures import Start

pytest_plugins = ["redis_fixtures"]


def test_a_moved_clock_is_seen_by_the_next_command(moved_server: Server) -> None:
    assert abs(moved_server.time_micros() - time.time_ns() // 1000) < 5_000_000
    with moved_server.wire() as wire:
        for step in range(500):
            micros = 1_763_690_000_123_456 + step * 999_983
            moved_server.moved.micros = micros
            assert list(map(int, wire.call("TIME"))) == [micros // 10**6, micros % 10**6]
            script = "return redis.call('TIME')"
            assert list(map(int, wire.call("EVAL", script, 0))) == [micros // 10**6, micros % 10**6]


def test_expiry_follows_a_moved_clock_and_stands_still_with_it(moved_server: Server) -> None:
    moved_server.set_time(0)
    assert moved_server.time_micros() == 0
    with moved_server.wire() as wire:
        wire.call("SET", "read", 1, "PX", 1000)
        wire.call("SET", "unread", 1, "PX", 1000)
        moved_server.advance(1)
        # Redis forgets a key when its time has passed, not when it is reached.
        assert (wire.call("PTTL", "read"), wire.call("EXISTS", "read")) == (0, 1)
        moved_server.advance(0.001)
        assert wire.call("EXISTS", "read") == 0
        until(lambda: wire.call("DBSIZE") == 0, "the unread key expired by the server's own sweep")


def test_a_moved_clock_runs_again_and_goes_back(moved_server: Server) -> None:
    moved_server.advance(-3600)
    still = moved_server.time_micros()
    assert moved_server.time_micros() == still == moved_server.moved.micros
    moved_server.moved.run(offset_seconds=7200)
    begun = moved_server.time_micros()
    assert abs(begun - time.time_ns() // 1000 - 7_200_000_000) < 5_000_000
    until(lambda: moved_server.time_micros() > begun, "the clock to run")


def test_a_python_process_has_its_wall_clock_moved(start: Start, tmp_path: Path) -> None:
    start(Server, moved_clock=True)  # skips where a clock cannot be moved
    clock = MovedClock(tmp_path)
    clock.set(1_000_000.25)
    script = "import time; a = time.monotonic(); time.sleep(.01)\n"
    script += "print(time.time(), time.monotonic() - a >= .01)"
    environment = os.environ | clock.environment
    said = subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
    clock.close()
    assert said.split() == ["1000000.25", "True"]
