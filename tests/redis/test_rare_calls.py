"""An interpreter ends well right after a rare call to a server, or with one on its way."""

from __future__ import annotations

import subprocess
import sys

import pytest

from redis_servers import Server

# Each awaits an answer in the last moment of the program, or leaves one on its way.
PROGRAMS = {
    "ping": "await limiter.ping()",
    "a circuit": "await breaker.execute('s', asyncio.sleep, 0)",
    "on their way": "[asyncio.ensure_future(limiter.check(str(n))) for n in range(50)]; "
    "[asyncio.ensure_future(breaker.state(str(n))) for n in range(50)]; await asyncio.sleep(0)",
}
PROGRAM = """
import asyncio, sys
from sluicegate.breaker import CircuitBreaker
from sluicegate.redis import FixedWindow
async def main():
    limiter, breaker = FixedWindow({url!r}, 5, 60), CircuitBreaker({url!r})
    {work}
asyncio.run(main())
"""


@pytest.mark.parametrize("what", PROGRAMS)
def test_the_program_ends_well(redis_server: Server, what: str) -> None:
    code = PROGRAM.format(url=redis_server.url, work=PROGRAMS[what])
    ends = []
    for _ in range(5):
        programs = [
            subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(5)
        ]
        for program in programs:
            _, errors = program.communicate(timeout=30)
            ends.append((program.returncode, errors))
    assert ends == [(0, b"")] * 25
