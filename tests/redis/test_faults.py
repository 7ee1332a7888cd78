"""A server that hangs, dies, or answers with errors: every decision is in time and by the policy."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from polling import until
from redis_faults import BlackHole
from redis_load import AGES, GRACE, PLENTY, RoundTrips, answered_by, load, run
from redis_servers import Server
from sluicegate.redis import (
    FixedWindow,
)

if TYPE_CHECKING:
    from redis_fixtures import Start

TIMEOUT = 0.15
TASKS = 20
OUTAGE = 0.5
POLICIES = pytest.mark.parametrize("policy", ["local", "open", "closed", "raise"])


@contextlib.contextmanager
def stopped(server: Server, _: BlackHole) -> Iterator[None]:
    server.stop()
    yield
    server.cont()


@contextlib.contextmanager
def paused(server: Server, _: BlackHole) -> Iterator[None]:
    server.command("CLIENT", "PAUSE", round(1000 * OUTAGE), "ALL")
    yield
    server.command("PING")  # an UNPAUSE would be paused too


@contextlib.contextmanager
def busy(server: Server, _: BlackHole) -> Iterator[None]:
    with server.wire() as wire:
        wire.send("EVAL", "while true do end", 0)
        yield
        server.command("SCRIPT", "KILL")


@contextlib.contextmanager
def swallowed(_: Server, proxy: BlackHole) -> Iterator[None]:
    proxy.swallow()
    yield
    proxy.forward()


@contextlib.contextmanager
def killed(server: Server, _: BlackHole) -> Iterator[None]:
    server.kill()
    yield
    server.restart()


@contextlib.contextmanager
def full(server: Server, _: BlackHole) -> Iterator[None]:
    server.command("CONFIG", "SET", "maxmemory", 1)
    yield
    server.command("CONFIG", "SET", "maxmemory", 0)


@contextlib.contextmanager
def loading(server: Server, _: BlackHole) -> Iterator[None]:
    for number in range(70):
        server.command("SET", number, "x" * 200)
    server.command("CONFIG", "SET", "key-load-delay", 10_000)
    with server.wire() as wire:
        wire.timeout = 30
        wire.send("DEBUG", "RELOAD")
        yield
        assert wire.receive() == b"OK"


HANGS = [stopped, paused, busy, swallowed]
FAULTS = [*HANGS, killed, full, loading]


@POLICIES
@pytest.mark.parametrize("fault", FAULTS)
def test_in_time_and_by_the_policy(start: Start, fault: Any, policy: Any) -> None:
    config = {"lua-time-limit": "300", "loading-process-events-interval-bytes": "1024"}
    server = start(Server, config=config)
    proxy = start(BlackHole, server.port)

    async def main() -> None:
        url = proxy.url if fault is swallowed else server.url
        limiter = FixedWindow(url, PLENTY, AGES, timeout=TIMEOUT, on_error=policy)
        async with limiter, load(limiter, TASKS) as answers:
            await answered_by(limiter)
            # In a thread: what blocks this loop would count as the machine's own lag.
            broken = fault(server, proxy)
            await asyncio.to_thread(broken.__enter__)
            await asyncio.sleep(OUTAGE)
            await asyncio.to_thread(broken.__exit__, None, None, None)
            async with RoundTrips(server) as others:
                back = await answered_by(limiter)
        counted = limiter.statistics()
        failed = len(answers.errors) if policy == "raise" else answers.stores[policy]
        late = answers.late(TIMEOUT)
        print(
            f"{fault.__name__} {policy}: slowest {1000 * answers.slowest:.1f} ms of "
            f"{1000 * TIMEOUT:.0f} (this machine: {1000 * answers.lag:.1f}), {late} waited so long, "
            f"{failed} of {len(answers.taken)} by the policy; back after {1000 * back:.0f} ms"
        )
        assert answers.slowest <= TIMEOUT + GRACE + answers.lag
        assert set(answers.stores) <= {"redis", policy}
        assert not answers.errors or policy == "raise"
        assert all(
            bool(each) == (policy != "closed" or each.store == "redis")
            for each in answers.decisions
        )
        # What `answered_by` asked is counted too.
        assert 0 < failed <= counted.errors
        assert counted.local == (counted.errors if policy == "local" else 0)
        assert (fault in HANGS) <= (counted.timeouts > 0)
        assert late <= 4 * TASKS < failed
        # A new connection takes some four round trips.
        assert back <= 1 + 4 * others.worst + answers.lag

    run(main())


def test_a_server_paused_for_writes_is_known_to_be_down(redis_server: Server) -> None:
    async def main() -> None:
        async with FixedWindow(redis_server.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            async with load(limiter, TASKS) as answers:
                await answered_by(limiter)
                redis_server.command("CLIENT", "PAUSE", 60_000, "WRITE")
                await asyncio.sleep(1)
                redis_server.command("CLIENT", "UNPAUSE")
            print(f"{answers.late(TIMEOUT)} of {len(answers.taken)} calls waited for the deadline")
            assert answers.late(TIMEOUT) <= 2 * TASKS

    run(main())


class Lost(BlackHole):
    """Connections that are opened in an outage are never served, not even after it."""

    lost = False

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.lost:
            self._writers.add(writer)
        else:
            await super()._accepted(reader, writer)


def test_found_within_a_second_though_an_attempt_was_lost(
    start: Start, redis_server: Server
) -> None:
    proxy = start(Lost, redis_server.port)

    async def main() -> None:
        async with FixedWindow(proxy.url, PLENTY, AGES, timeout=TIMEOUT) as limiter:
            backs = []
            for outage in (1.0, 2.0):
                await answered_by(limiter)
                proxy.lost = True
                proxy.cut()
                await asyncio.sleep(outage)
                # From here on is the worst time to come back: an attempt has just begun.
                begun = len(proxy._writers)
                until(lambda begun=begun: len(proxy._writers) > begun, "another attempt")
                proxy.lost = False
                backs.append(await answered_by(limiter))
            print("back after", [f"{back:.2f} s" for back in backs])
            assert max(backs) <= 1

    run(main())


def test_a_limiter_in_a_hurry_speaks_for_no_other(redis_server: Server) -> None:
    async def main() -> None:
        hasty = FixedWindow(redis_server.url, PLENTY, AGES, timeout=0.001)
        patient = FixedWindow(redis_server.url, PLENTY, AGES, timeout=5, on_error="raise")
        redis_server.stop()
        assert (await hasty.check("a")).store == "local"
        waiting = asyncio.create_task(patient.check("b"))
        await asyncio.sleep(0)
        redis_server.cont()
        assert (await waiting).store == "redis"

    run(main())
