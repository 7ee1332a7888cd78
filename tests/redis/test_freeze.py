"""A program that was frozen while its server closed the connection: the first decision after it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from polling import until
from redis_programs import CONNECTED
from redis_servers import Server

if TYPE_CHECKING:
    from redis_fixtures import Start

# It asks in the very moment it goes on, perhaps before its other thread hears of anything.
FROZEN = (
    CONNECTED
    + """
import sys, time
from sluicegate.redis import FixedWindow
async def main():
    limiter = FixedWindow(sys.argv[1], 1000, 1e9, timeout=20, on_error="raise", prefix="frozen")
    await connected(limiter)
    for number in range(int(sys.argv[2])):
        print("ready", flush=True)
        last = now = time.monotonic()
        while now - last < 0.2:
            last, now = now, time.monotonic()
        assert (await limiter.check("key")).remaining == 999 - number
    print("fine", flush=True)
asyncio.run(main())
"""
)


def stopped(pid: int) -> bool:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "T"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("how", ["killed by the server", "idle for too long"])
def test_the_first_decision_after_a_freeze_is_made_by_the_server(start: Start, how: str) -> None:
    server, times = start(Server), 20 if how == "killed by the server" else 1
    if how == "idle for too long":
        server.command("CONFIG", "SET", "timeout", 1)
    command = [sys.executable, "-c", FROZEN, server.url, str(times)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout
        try:
            for _ in range(times):
                assert program.stdout.readline() == "ready\n"
                time.sleep(0.02)
                os.kill(program.pid, signal.SIGSTOP)
                until(lambda: stopped(program.pid), "stopped")
                if how == "killed by the server":
                    server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
                until(lambda: server.command("CLIENT", "LIST").count(b"\n") == 1, "closed")
                time.sleep(0.3)
                os.kill(program.pid, signal.SIGCONT)
            assert program.stdout.readline() == "fine\n"
        finally:
            program.kill()
