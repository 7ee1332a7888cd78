"""The circuit breaker in Redis: all processes share it, and none can leak a probe's place."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from redis_fixtures import Start
from redis_servers import Server
from sluicegate import ManualClock
from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitOpenError, CircuitState
from sluicegate.errors import RateLimitError, StoreError

# Opens at the first failure, and is half open at once.
SHORT = CircuitConfig(failure_threshold=1, timeout=0.001, rate_limit=None, probe_lease=20)
NAME = "sluicegate:circuit:{s}"


class DownError(Exception):
    """The service does not answer."""


async def down() -> None:
    raise DownError


async def fine() -> str:
    return "fine"


def places(server: Server) -> int:
    """Places that probes hold."""
    fields: list[bytes] = server.command("HKEYS", NAME)
    return sum(field.startswith(b"p") for field in fields)


async def half_open(breaker: CircuitBreaker) -> None:
    with pytest.raises(DownError):
        await breaker.execute("s", down)
    while await breaker.state("s") is not CircuitState.HALF_OPEN:
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("client", [False, True])
def test_the_articles_program(redis_server: Server, client: bool) -> None:
    from redis import asyncio as aioredis

    async def main() -> None:
        redis: Any = aioredis.from_url(redis_server.url) if client else redis_server.url
        breaker = CircuitBreaker(redis, CircuitConfig(rate_limit=20, timeout=0.05))
        for _ in range(5):
            with pytest.raises(DownError):
                await breaker.execute("s", down)
        with pytest.raises(CircuitOpenError) as refused:
            await breaker.execute("s", fine)
        assert 0 < refused.value.retry_after <= 0.05
        await asyncio.sleep(refused.value.retry_after)
        for _ in range(3):
            assert await breaker.execute("s", fine) == "fine"
        assert await breaker.state("s") is CircuitState.CLOSED
        admitted_before = 5 + 3
        for _ in range(20 - admitted_before):
            await breaker.execute("s", fine)
        with pytest.raises(RateLimitError) as limited:
            await breaker.execute("s", fine)
        assert limited.value.retry_after > 0
        await breaker.aclose()
        if client:
            await redis.aclose()

    asyncio.run(main())


PROBING = """
    import asyncio, sys
    from sluicegate.breaker import CircuitBreaker, CircuitConfig, CircuitOpenError
    config = CircuitConfig(failure_threshold=1, timeout=0.001, rate_limit=None, probe_lease=20)
    breaker = CircuitBreaker(sys.argv[1], config, timeout=10, on_error="raise")
    inside = 0

    async def call(end):
        global inside
        try:
            async with breaker.guard("s"):
                inside += 1
                await end.wait()
        except CircuitOpenError:
            return

    async def main():
        end = asyncio.Event()
        print("ready", flush=True)
        sys.stdin.readline()
        calls = [asyncio.ensure_future(call(end)) for _ in range(250)]
        while sum(task.done() for task in calls) + inside < 250:
            await asyncio.sleep(0.005)
        print(inside, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        end.set()
        await asyncio.gather(*calls)

    asyncio.run(main())
"""


def probing(server: Server) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PROBING), server.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def say(process: subprocess.Popen[str], line: str = "go") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_of_a_thousand_calls_in_four_processes_exactly_three_probe(redis_server: Server) -> None:
    breaker = CircuitBreaker(redis_server.url, SHORT, on_error="raise", timeout=10)
    asyncio.run(half_open(breaker))
    processes = [probing(redis_server) for _ in range(4)]
    for process in processes:
        say(process)
    probes = sum(int(hear(process)) for process in processes)
    print(f"probes of 1,000 calls in 4 processes: {probes}")
    assert probes == 3
    for process in processes:
        process.communicate("end\n", timeout=20)
        assert process.returncode == 0
    assert asyncio.run(breaker.state("s")) is CircuitState.CLOSED


def test_a_probes_place_is_free_after_its_process_was_killed(moved_server: Server) -> None:
    moved_server.set_time(1_700_000_000)
    breaker = CircuitBreaker(moved_server.url, SHORT, on_error="raise", timeout=10)

    async def begin() -> None:
        with pytest.raises(DownError):
            await breaker.execute("s", down)
        moved_server.advance(1)

    asyncio.run(begin())
    process = probing(moved_server)
    say(process)
    assert hear(process) == "3\n"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    async def after() -> None:
        moved_server.advance(SHORT.probe_lease - 0.5)
        with pytest.raises(CircuitOpenError) as refused:
            await breaker.execute("s", fine)
        assert refused.value.retry_after == pytest.approx(0.5)
        moved_server.advance(0.5)
        for _ in range(3):
            assert await breaker.execute("s", fine) == "fine"
        assert await breaker.state("s") is CircuitState.CLOSED

    asyncio.run(after())


def test_cancellation_anywhere_leaks_no_place(redis_server: Server) -> None:
    breaker = CircuitBreaker(redis_server.url, SHORT, on_error="raise", timeout=10)

    async def cancelled(call: asyncio.Future[Any], pause: float) -> None:
        await asyncio.sleep(pause)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)

    async def main() -> None:
        await half_open(breaker)
        for n in range(150):
            call = asyncio.ensure_future(breaker.execute("s", asyncio.sleep, 30))
            await cancelled(call, n * 0.00002)
        for _ in range(200):
            if not places(redis_server):
                break
            await asyncio.sleep(0.005)
        assert places(redis_server) == 0
        for _ in range(3):
            assert await breaker.execute("s", fine) == "fine"

    asyncio.run(main())


def test_a_server_that_is_away(start: Start) -> None:
    server = start(Server)
    config = CircuitConfig(failure_threshold=2, rate_limit=50, timeout=100)
    local = CircuitBreaker(server.url, config, timeout=0.1)
    strict = CircuitBreaker(server.url, config, timeout=0.1, on_error="raise")

    async def main() -> None:
        async with local.guard("s"):
            server.stop()  # and its result is lost
        with pytest.raises(StoreError):
            await strict.execute("s", fine)
        for _ in range(2):
            with pytest.raises(DownError):
                await local.execute("s", down)
        with pytest.raises(CircuitOpenError):
            await local.execute("s", fine)
        assert await local.state("s") is CircuitState.OPEN
        server.cont()
        for _ in range(200):
            if await local.state("s") is CircuitState.CLOSED:
                break
            await asyncio.sleep(0.01)
        assert await local.execute("s", fine) == "fine"

    asyncio.run(main())


def test_a_stall_takes_no_probes_place(redis_server: Server) -> None:
    async def main() -> None:
        one_probe = replace(SHORT, success_threshold=1)
        breaker = CircuitBreaker(redis_server.url, one_probe, on_error="raise")
        await half_open(breaker)
        redis_server.stop()
        try:
            for _ in range(5):
                with pytest.raises(StoreError):
                    await breaker.execute("s", fine)
        finally:
            redis_server.cont()
        # What was sent is done now, though nobody waits for it any more.
        answers = []
        while answers[-1:] != ["fine"]:
            with suppress(StoreError, CircuitOpenError):
                answers.append(await breaker.execute("s", fine))
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(main(), 15))  # the lease is 20 s


def test_scripts_that_were_flushed_and_keys_of_others(redis_server: Server) -> None:
    breaker = CircuitBreaker(redis_server.url, CircuitConfig(), timeout=10, on_error="raise")

    async def main() -> None:
        for _ in range(10):
            redis_server.command("SCRIPT", "FLUSH")
            assert await breaker.execute("s", fine) == "fine"
        assert redis_server.command("PTTL", NAME) > 3_600_000
        redis_server.command("DEL", NAME)
        redis_server.command("SET", NAME, "mine")
        with pytest.raises(StoreError, match="WRONGTYPE"):
            await breaker.execute("s", fine)
        redis_server.command("DEL", NAME)
        redis_server.command("HSET", NAME, "mine", "1")
        with pytest.raises(StoreError, match="does not hold a circuit"):
            await breaker.execute("s", fine)
        assert redis_server.command("HGET", NAME, "mine") == b"1"

    asyncio.run(main())


def test_no_two_circuits_and_limits_share_a_key(redis_server: Server) -> None:
    keys = [
        "x",
        "rate:x",
        "circuit:x",
        "rate:rate:x",
        "circuit:rate:x",
        "circuit:circuit:x",
        "{rate:x}",
    ]
    config = CircuitConfig(failure_threshold=1, rate_limit=2, rate_window=1_000_000, timeout=100)
    breaker = CircuitBreaker(redis_server.url, config, timeout=10, on_error="raise")

    async def main() -> None:
        for key in keys:
            assert await breaker.state(key) is CircuitState.CLOSED
            assert await breaker.execute(key, fine) == "fine"
        assert redis_server.command("DBSIZE") == 2 * len(keys)
        for key in keys:
            with pytest.raises(DownError):
                await breaker.execute(key, down)
            assert await breaker.state(key) is CircuitState.OPEN
        assert redis_server.command("DBSIZE") == 2 * len(keys)

    asyncio.run(main())


def test_circuits_in_redis_have_the_server_s_clock(redis_server: Server) -> None:
    with pytest.raises(TypeError, match="clock is for circuits in memory"):
        CircuitBreaker(redis_server.url, clock=ManualClock())


def test_a_guard_that_waits_for_the_server_is_not_entered_twice(redis_server: Server) -> None:
    async def main() -> None:
        guard = CircuitBreaker(redis_server.url).guard("s")

        async def use() -> str:
            async with guard:
                await asyncio.sleep(0.01)
            return "done"

        first, second = await asyncio.gather(use(), use(), return_exceptions=True)
        assert first == "done"
        assert isinstance(second, RuntimeError)
        assert await use() == "done"

    asyncio.run(main())


def test_a_change_that_a_cancelled_call_makes_is_told(redis_server: Server) -> None:
    seen: list[CircuitState] = []
    config = CircuitConfig(failure_threshold=1, success_threshold=1, timeout=0.001, rate_limit=None)

    async def hears(*states: CircuitState) -> None:
        while len(seen) < len(states):
            await asyncio.sleep(0.001)
        assert seen == [*states]

    async def main() -> None:
        breaker = CircuitBreaker(
            redis_server.url, config, on_change=lambda change: seen.append(change.new)
        )
        loop = asyncio.get_running_loop()

        async def fail() -> None:
            loop.call_soon(failing.cancel)
            raise OSError

        failing = asyncio.ensure_future(breaker.execute("told", fail))
        await asyncio.wait([failing])
        assert failing.cancelled()
        await asyncio.wait_for(hears(CircuitState.OPEN), 10)
        while await breaker.state("told") is not CircuitState.HALF_OPEN:
            pass
        probing = asyncio.ensure_future(breaker.execute("told", int))
        await asyncio.sleep(0)
        probing.cancel()
        await asyncio.wait([probing])
        assert probing.cancelled()
        await asyncio.wait_for(hears(CircuitState.OPEN, CircuitState.HALF_OPEN), 10)
        while CircuitState.CLOSED not in seen:  # as soon as the cancelled one's place is free
            with suppress(CircuitOpenError):
                await breaker.execute("told", int)

    asyncio.run(main())
