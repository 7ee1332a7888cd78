"""What permits and circuits say in the log when Redis does not do its part."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from redis_programs import program
from redis_servers import Server
from sluicegate._connection.notices import Complaint
from sluicegate.errors import StoreError

if TYPE_CHECKING:
    from redis_fixtures import Start

# What is said is what is printed: a program of its own has said nothing before.
LOGGED = """
import asyncio, contextlib, logging, sys
from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitOpenError
from sluicegate.redis import ConcurrencyLimiter, StoreError
logging.basicConfig(stream=sys.stdout, format="%(name)s: %(message)s")
url, on_error = sys.argv[1:]
def permits(limit, **options):
    return ConcurrencyLimiter(url, limit, on_error=on_error, prefix="app", **options)
def breaker(**options):
    config = CircuitConfig(failure_threshold=1, timeout=0.001, rate_limit=None)
    return CircuitBreaker(url, config, on_error=on_error, prefix="app", **options)
async def fail():
    raise OSError
"""
HOLDS = """
async def main():
    for limit in range(5, 10):
        limiter = permits(limit)
        for _ in range(3):
            with contextlib.suppress(StoreError):
                permit = await limiter.try_acquire("k")
                if permit: await permit.release()
"""
CALLS = """
async def main():
    for _ in range(5):
        circuits = breaker()
        for _ in range(3):
            with contextlib.suppress(StoreError, OSError, CircuitOpenError):
                await circuits.execute("s", fail)
            with contextlib.suppress(StoreError):
                await circuits.state("s")
"""
LOSES = """
async def main():
    limiter = permits(2, lease_seconds=0.9, timeout=0.8)
    one, other = await limiter.try_acquire("k"), await limiter.try_acquire("k")
    while one.held or other.held:
        await asyncio.sleep(0.01)
"""
KEEPS = """
async def main():
    limiter = permits(2, lease_seconds=60, timeout=20)
    for _ in range(2):
        async with limiter.permit("k"): pass
    assert await limiter.in_use("k") == 2
"""
PROBES = """
async def main():
    circuits = breaker(timeout=20)
    with contextlib.suppress(OSError):
        await circuits.execute("s", fail)
    while (await circuits.state("s")).value != "half_open": pass
    for _ in range(3):
        await circuits.execute("s", int)
"""


def said(code: str, url: str, on_error: str = "local") -> list[str]:
    return program(f"{LOGGED}{code}\nasyncio.run(main())", url, on_error).splitlines()


@pytest.mark.parametrize(
    ("code", "on_error", "words"),
    [
        (HOLDS, "local", "Permits are decided by on_error"),
        (HOLDS, "open", "Permits are decided by on_error"),
        (HOLDS, "closed", "Permits are decided by on_error"),
        (HOLDS, "raise", ""),
        (CALLS, "local", "Circuits are decided by on_error"),
        (CALLS, "raise", ""),
    ],
)
def test_a_wrong_password_is_told_of_once(
    start: Start, code: str, on_error: str, words: str
) -> None:
    server = start(Server, user="app", password="the right one")
    lines = said(code, f"redis://app:guessed@127.0.0.1:{server.port}", on_error)
    print(lines)
    assert len(lines) == (words != "")
    for line in lines:
        assert line.startswith(f"sluicegate: {words}, not by Redis (said once a minute): ")
        assert "WRONGPASS" in line
        assert "guessed" not in line


@pytest.mark.parametrize(
    ("code", "missing", "words"),
    [
        (LOSES, "zscore", "Permits that are held are not renewed in Redis"),
        (KEEPS, "zrem", "Permits are not given back to Redis"),
        (PROBES, "hincrby", "Circuits in Redis do not hear of the results of calls"),
    ],
)
@pytest.mark.parametrize("on_error", ["local", "raise"])
def test_a_missing_right_is_told_of_once(
    redis_server: Server, code: str, missing: str, words: str, on_error: str
) -> None:
    rights = ("+@all", f"-{missing}")
    redis_server.command("ACL", "SETUSER", "app", "reset", "on", ">word", "~app:*", *rights)
    lines = said(code, f"redis://app:word@127.0.0.1:{redis_server.port}", on_error)
    print(lines)
    assert [words in line for line in lines] == [True]


def test_permits_and_circuits_tell_of_a_server_that_evicts(start: Start) -> None:
    for code in (HOLDS, CALLS):
        server = start(Server, maxmemory_policy="allkeys-lru")
        lines = said(code, server.url)
        assert ["allkeys-lru" in line for line in lines] == [True]


def test_it_is_said_again_after_a_minute(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 1_000.0
    monkeypatch.setattr("sluicegate._connection.notices.monotonic", lambda: now)
    complaint = Complaint()
    with caplog.at_level(logging.WARNING, "sluicegate"):
        # By the words of the error they differ: the very same is not said again anywhere.
        for passed, words in ((0, "first"), (59.9, "second"), (0.2, "third"), (59, "fourth")):
            now += passed
            complaint.make("Nothing works", StoreError(words))
    told = [message for message in caplog.messages if message.startswith("Nothing works")]
    assert told == [f"Nothing works (said once a minute): {words}" for words in ("first", "third")]
